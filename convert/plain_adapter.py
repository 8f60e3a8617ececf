"""Adapters as trainers leave them, straightened to the form in which PEFT saves them.

A wrapper's prefix in the names (torch.compile, FSDP, DDP, Lightning), PEFT's own prefix
doubled or missing, the adapter's name within a training (`.default.`), a base of 4 or 8
bits beside the LoRA (the whole state of a training), and the LoRA of MLX, whose
matrices lie the other way round:
https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/tuner/lora.py
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from convert.errors import ConvertError
from convert.hf_folder import JsonFile
from convert.safetensors_file import (
    FLOATS,
    SafetensorsFile,
    TensorInfo,
    write_safetensors,
)
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

MLX_WEIGHTS = "adapters.safetensors"
PREFIX = "base_model.model."
LARGEST_BESIDE = 1 << 26  # bytes of a file that comes along: tokenizers, templates
_WRAPPERS = re.compile(
    r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module"
    r"|_forward_module|module)\."
)
_DOUBLED = re.compile(r"^(?:base_model\.model\.){2,}")
_NAMED = re.compile(
    r"(\.(?:lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector"
    r"|modules_to_save|trainable_tokens_delta))\.((?!(?:weight|bias)(?:\.|$))\w+)"
    r"(?=\.|$)"
)
_LORA = re.compile(r"\.lora_(?:A|B|embedding_A|embedding_B|magnitude_vector)(?:\.|$)")
# Straightened copies by what they were made of; they go when the program ends.
_copies: dict[tuple[Path, int, int], TemporaryDirectory[str]] = {}


def plain_adapter(folder: Path) -> Path:
    """The folder itself where PEFT saved it, else one in PEFT's form, made of it.

    What is no adapter, or one that cannot be straightened, comes back as it is: what
    reads it says what is wrong with it.

    Raises:
        ConvertError: it holds several adapters, or two names that become one; a LoRA of
            MLX is of a kind that PEFT has not; there is no room for the copy.
    """
    config = folder / ADAPTER_CONFIG
    mlx = folder / MLX_WEIGHTS
    file = mlx if mlx.is_file() else folder / ADAPTER_WEIGHTS
    if not config.is_file() or not file.is_file():
        return folder
    stat = file.stat()
    key = (file.resolve(), stat.st_size, stat.st_mtime_ns)
    if key in _copies:
        return Path(_copies[key].name) / folder.resolve().name
    source = SafetensorsFile(file)
    if file == mlx:
        made = _of_mlx(JsonFile.read(config), source)
        if made is None:
            return folder
        settings, tensors = made
    else:
        names = straight_names(source.tensors, file)
        plain = all(name == straight for name, straight in names.items())
        if plain and not any(_of_base(n, s, source) for n, s in names.items()):
            return folder
        settings = JsonFile.read(config).values
        kept = {n: s for n, s in names.items() if not _of_base(n, s, source)}
        tensors = {s: (name, False) for s, name in _once(kept, source).items()}
    copy = TemporaryDirectory(prefix="medassist-adapter-")
    into = Path(copy.name) / folder.resolve().name
    try:
        _write(into, folder, settings, source, tensors)
    except OSError as error:
        copy.cleanup()
        raise ConvertError(
            f"{folder}: no copy in PEFT's form can be written to {into.parent} "
            f"({error.strerror or error}); set TMPDIR to a folder with more room"
        ) from error
    _copies[key] = copy
    return into


def straight_names(names: Iterable[str], file: Path) -> dict[str, str]:
    """The names of an adapter's tensors, each with the one that PEFT would save.

    Raises:
        ConvertError: there are several adapters.
    """
    every = list(names)
    apart = {found[2] for name in every if (found := _NAMED.search(name))}
    if len(apart) > 1:
        raise ConvertError(
            f"{file} holds several adapters ({', '.join(sorted(apart))}); save the one "
            "that is meant: model.save_pretrained(OUT, selected_adapters=[NAME])"
        )
    bare = {name: _straight(name) for name in every}
    if any(_LORA.search(b) and not b.startswith(PREFIX) for b in bare.values()):
        bare = {n: PREFIX + b.removeprefix(PREFIX) for n, b in bare.items()}
    short = {
        name: each.replace(".modules_to_save.", ".") for name, each in bare.items()
    }
    # Where the embedding was resized PEFT saves the trained weight under both names.
    both = set(bare.values())
    return {n: b if short[n] in both else short[n] for n, b in bare.items()}


def _straight(name: str) -> str:
    return _NAMED.sub(r"\1", _DOUBLED.sub(PREFIX, _WRAPPERS.sub("", name)))


def _of_base(name: str, straight: str, source: SafetensorsFile) -> bool:
    """Whether a tensor is surely the base's own, and not to be compared with it.

    What `modules_to_save` stands in the place of, and numbers of 4 or 8 bits under a
    LoRA, which are frozen: bitsandbytes' with what belongs to them.
    """
    if ".original_module." in straight:
        return True
    if ".base_layer." not in straight or "lora_" in straight:
        return False
    whole = straight.endswith((".base_layer.weight", ".base_layer.bias"))
    return not whole or source.tensors[name].dtype not in FLOATS


def _once(names: Mapping[str, str], source: SafetensorsFile) -> dict[str, str]:
    """`names` the other way round: by those that PEFT would save.

    Raises:
        ConvertError: two tensors of other numbers become one.
    """
    found: dict[str, str] = {}
    for name, straight in names.items():
        if (other := found.setdefault(straight, name)) == name:
            continue
        one, two = source.tensors[name], source.tensors[other]
        alike = (one.dtype, one.shape) == (two.dtype, two.shape)
        if not alike or source.raw(name) != source.raw(other):
            raise ConvertError(
                f"{source.file} holds {straight} twice, with other numbers under "
                f"{other} and {name}; save the adapter anew with the PeftModel's "
                "save_pretrained"
            )
    return found


def _of_mlx(
    config: JsonFile, source: SafetensorsFile
) -> tuple[dict[str, Any], dict[str, tuple[str, bool]]] | None:
    """PEFT's settings and names for a LoRA of MLX; none if it is no plain one.

    MLX computes x @ a @ b * scale with a (in, rank) and b (rank, out); PEFT
    x @ A.T @ B.T * alpha / rank, with A (rank, in) and B (out, rank).
    """
    found = config.values.get("lora_parameters")
    settings = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    scale = settings.get("scale")
    pairs: dict[str, dict[str, str]] = {}
    for name in source.tensors:
        module, _, part = name.rpartition(".")
        pairs.setdefault(module, {})[part] = name
    whole = all(set(parts) == {"lora_a", "lora_b"} for parts in pairs.values())
    plain = config.values.get("fine_tune_type", "lora") == "lora"
    if not pairs or not whole or not plain or not isinstance(scale, int | float):
        return None
    ranks = {source.tensors[parts["lora_a"]].shape[-1] for parts in pairs.values()}
    shapes = [len(info.shape) for info in source.tensors.values()]
    embeds = any(module.endswith("embed_tokens") for module in pairs)
    if len(ranks) > 1 or set(shapes) != {2} or embeds:
        return None
    (rank,) = ranks
    tensors = {
        f"{PREFIX}{module}.{ours}.weight": (parts[theirs], True)
        for module, parts in pairs.items()
        for ours, theirs in (("lora_A", "lora_a"), ("lora_B", "lora_b"))
    }
    return {
        "base_model_name_or_path": config.values.get("model"),
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": scale * rank,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": sorted(pairs),
        "task_type": "CAUSAL_LM",
    }, tensors


def _write(
    into: Path,
    folder: Path,
    settings: Mapping[str, Any],
    source: SafetensorsFile,
    tensors: Mapping[str, tuple[str, bool]],
) -> None:
    into.mkdir()
    for file in folder.iterdir():
        ours = file.name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, MLX_WEIGHTS)
        if file.is_file() and not ours and file.stat().st_size <= LARGEST_BESIDE:
            shutil.copyfile(file, into / file.name)
    (into / ADAPTER_CONFIG).write_text(json.dumps(settings, indent=2), "utf-8")
    written = [
        (_info(source, name, was, turned), [_bytes(source, was, turned)])
        for name, (was, turned) in sorted(tensors.items())
    ]
    for _ in write_safetensors(into / ADAPTER_WEIGHTS, written):
        pass


def _info(source: SafetensorsFile, name: str, was: str, turned: bool) -> TensorInfo:
    info = source.tensors[was]
    if turned:
        return TensorInfo(name, "F32", info.shape[::-1])
    return TensorInfo(name, info.dtype, info.shape)


def _bytes(source: SafetensorsFile, was: str, turned: bool) -> memoryview:
    if not turned:
        return source.raw(was)
    return memoryview(np.ascontiguousarray(source.floats(was).T).tobytes())
