"""Reads a PEFT LoRA: which weights it changes, and how.

The keys of the weights are those of PEFT 0.21 (`peft/utils/save_and_load.py`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import ConvertError
from convert.foreign import (
    Sight,
    of_adapter_config,
    of_folder,
    of_tensors,
    refuse_form,
)
from convert.hf_folder import Array, JsonFile
from convert.plain_adapter import plain_adapter
from convert.safetensors_file import SafetensorsFile
from medassist.core.run_folder import ADAPTER_CONFIG, ADAPTER_WEIGHTS

PICKLE = "adapter_model.bin"
_UNPICKLE = (
    'python -c "import torch; from safetensors.torch import save_file; '
    f"save_file(torch.load('{PICKLE}', weights_only=True), '{ADAPTER_WEIGHTS}', "
    "{'format': 'pt'})\""
)
_PREFIX = "base_model.model."
_PARTS = {
    r"(.+)\.lora_A\.weight": "a",
    r"(.+)\.lora_B\.weight": "b",
    r"(.+)\.lora_B\.bias": "bias",
    r"(.+)\.lora_embedding_A": "embedding_a",
    r"(.+)\.lora_embedding_B": "embedding_b",
    r"(.+)\.lora_magnitude_vector(?:\.weight)?": "magnitude",
    r"(.+)\.token_adapter\.trainable_tokens_delta": "tokens",
}
# Fields of LoraConfig that change nothing once the training is over, or that are read
# here. One that is not known may change what the weights mean: it is refused.
_UNDERSTOOD = frozenset(
    [
        "alora_invocation_tokens",
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "bias",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_alpha",
        "lora_bias",
        "lora_dropout",
        "lora_ga_config",
        "megatron_config",
        "megatron_core",
        "modules_to_save",
        "modules_to_tie",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "target_modules_to_tie",
        "task_type",
        "trainable_token_indices",
        "unsloth_fixed",
        "unsloth_version",
        "use_dora",
        "use_rslora",
    ]
)
# These ways to begin take a part of the base away and put it into the adapter, so that
# A and B belong to what is left of the base and not to the base.
_BASE_CHANGED = ("pissa", "olora", "corda", "lora_ga", "loftq")
_BASE_KEPT = ("gaussian", "eva", "orthogonal", "mica", "true", "false", "none")


@dataclass(frozen=True)
class Lora:
    """The low-rank change of one module, with the names of its tensors."""

    module: str
    """Of the base: model.layers.0.self_attn.q_proj."""
    a: str
    """(rank, in)"""
    b: str
    """(out, rank)"""
    rank: int
    scale: float
    """B @ A is multiplied by it."""
    embedding: bool = False
    """An nn.Embedding: in is the vocabulary, and its weight is stored (in, out)."""
    magnitude: str | None = None
    """(out,), of a DoRA."""
    bias: str | None = None
    """(out,), added to the module's bias, scaled too (`lora_bias`)."""


@dataclass(frozen=True)
class PeftAdapter:
    """An adapter, its weights still in their file."""

    folder: Path
    config: JsonFile
    source: SafetensorsFile
    loras: dict[str, Lora]
    """By module."""
    whole: dict[str, str]
    """Weights of the base that the adapter holds anew, with their keys."""
    trained_apart: frozenset[str]
    """Those of `whole` that were trained as `modules_to_save`: of tied weights only
    the one that is named was replaced."""
    tokens: dict[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    """Modules with some rows anew: their numbers, and the key of the rows."""

    @property
    def invocation(self) -> tuple[int, ...]:
        """The tokens that switch an activated LoRA on; empty for a plain one."""
        tokens = self.config.values.get("alora_invocation_tokens") or []
        if not isinstance(tokens, list) or not all(isinstance(t, int) for t in tokens):
            raise ConvertError(
                f"{self.config.file}: `alora_invocation_tokens` is {tokens!r}; "
                "expected a list of token ids"
            )
        return tuple(tokens)

    @property
    def base_name(self) -> str | None:
        """Name of the model that it was trained on, as it says."""
        name = self.config.values.get("base_model_name_or_path")
        return str(name) if name else None

    def numbers(self, key: str) -> Array:
        """A tensor of the adapter as float32.

        Raises:
            ConvertError: a number in it is not finite.
        """
        values = self.source.floats(key)
        if not np.isfinite(values).all():
            raise ConvertError(
                f"{self.source.file}: {key} holds numbers that are not finite (NaN or "
                "inf); the training went wrong: take an earlier checkpoint"
            )
        return values


def read_adapter(folder: Path) -> PeftAdapter:
    """Open the LoRA in `folder`, straightened to PEFT's form where it has another.

    Raises:
        ConvertError: there is none, or one that cannot be understood exactly.
    """
    if folder.is_file():
        raise ConvertError(
            f"{folder} is a file; the folder of a PEFT adapter is expected, with "
            f"{ADAPTER_CONFIG} and {ADAPTER_WEIGHTS}"
        )
    if not (folder / ADAPTER_CONFIG).is_file() and (folder / "config.json").is_file():
        raise ConvertError(
            f"{folder} holds a model and no {ADAPTER_CONFIG}; the folder of a PEFT "
            "adapter is expected"
        )
    if not (folder / ADAPTER_CONFIG).is_file():
        refuse_form(of_folder(folder, ADAPTER_CONFIG))
    folder = plain_adapter(folder)
    config = JsonFile.read(folder / ADAPTER_CONFIG)
    refuse_form(of_adapter_config(config.file, config.values))
    _check_config(config)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        refuse_form(of_folder(folder, ADAPTER_WEIGHTS))
        if (folder / PICKLE).is_file():
            raise ConvertError(
                f"{folder} holds {PICKLE}, a pickle, which can run code when it is "
                "read and is never read here. Where you trust it, make safetensors of "
                f"it, in that folder: {_UNPICKLE}"
            )
        raise ConvertError(
            f"{folder / ADAPTER_WEIGHTS} is not there; an adapter as PEFT saves it is "
            "expected"
        )
    source = SafetensorsFile(folder / ADAPTER_WEIGHTS)
    parts, whole, apart = _sorted_keys(config, source)
    loras = {
        module: _lora(config, source, module, keys)
        for module, keys in parts.items()
        if "tokens" not in keys
    }
    tokens = {
        module: (_token_rows(config, source, module, keys["tokens"]), keys["tokens"])
        for module, keys in parts.items()
        if "tokens" in keys
    }
    if not (loras or whole or tokens):
        raise ConvertError(f"{source.file} holds no weights of a LoRA")
    return PeftAdapter(folder, config, source, loras, whole, frozenset(apart), tokens)


def _check_config(config: JsonFile) -> None:
    if (kind := config.values.get("peft_type")) != "LORA":
        raise ConvertError(
            f"{config.file}: `peft_type` is {kind!r}; this converter knows LORA. Merge "
            "the adapter with PEFT's merge_and_unload and convert the result"
        )
    if (task := config.values.get("task_type")) not in (None, "CAUSAL_LM"):
        raise ConvertError(
            f"{config.file}: `task_type` is {task!r}: the adapter is of a model that "
            "classifies, embeds or translates and does not write; train with task_type "
            "CAUSAL_LM for one that does. A classifier stays with transformers"
        )
    for key, value in config.values.items():
        if value and key not in _UNDERSTOOD:
            raise ConvertError(
                f"{config.file}: `{key}` is {value!r}, which this converter does not "
                "know and which may change what the weights mean; merge the adapter "
                "with PEFT's merge_and_unload and convert the result"
            )
    start = str(config.values.get("init_lora_weights")).lower()
    if start.startswith(_BASE_CHANGED):
        raise ConvertError(
            f"{config.file}: `init_lora_weights` is {start!r}, which took a part of "
            "the base away before the training, so the adapter does not belong to the "
            "base as it is; save it with PEFT's save_pretrained and "
            "path_initial_model_for_weight_conversion, which makes a plain LoRA of it"
        )
    if start not in _BASE_KEPT:
        raise ConvertError(
            f"{config.file}: `init_lora_weights` is {start!r}, which this converter "
            f"does not know; expected one of {', '.join(_BASE_KEPT)}"
        )


def _sorted_keys(
    config: JsonFile, source: SafetensorsFile
) -> tuple[dict[str, dict[str, str]], dict[str, str], set[str]]:
    """The keys as parts by module, as whole weights, and which were trained apart."""
    saved = config.values.get("modules_to_save") or []
    parts: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    apart: set[str] = set()
    for key in source.tensors:
        if not key.startswith(_PREFIX):
            refuse_form(of_tensors(source.file, [key], Sight.ADAPTER_TENSOR))
            raise ConvertError(
                f"{source.file}: {key} does not begin with {_PREFIX!r}; an adapter of "
                "a language model as PEFT saves it is expected"
            )
        name = key.removeprefix(_PREFIX)
        for pattern, part in _PARTS.items():
            if match := re.fullmatch(pattern, name):
                parts.setdefault(match[1], {})[part] = key
                break
        else:
            if "lora_" in name or "token_adapter.trainable" in name:
                refuse_form(of_tensors(source.file, [key], Sight.ADAPTER_TENSOR))
                raise ConvertError(
                    f"{source.file}: {key} is no part of a LoRA that this converter "
                    "knows; merge the adapter with PEFT's merge_and_unload"
                )
            module, _, leaf = name.rpartition(".")
            if module.endswith(".original_module"):
                continue  # what `modules_to_save` stands in the place of
            inner = re.sub(r"(\.token_adapter)?\.base_layer$", "", module)
            bare = inner.removesuffix(".modules_to_save")
            whole[f"{bare}.{leaf}"] = key
            # PEFT takes a module whose name ends so; see `_set_trainable`.
            if inner == module and any(bare.endswith(str(part)) for part in saved):
                apart.add(f"{bare}.{leaf}")
    return parts, whole, apart


def _lora(
    config: JsonFile, source: SafetensorsFile, module: str, keys: dict[str, str]
) -> Lora:
    embedding = "embedding_a" in keys or "embedding_b" in keys
    sides = ("embedding_a", "embedding_b") if embedding else ("a", "b")
    if missing := [side for side in sides if side not in keys]:
        raise ConvertError(
            f"{source.file}: {module} has no lora_{missing[0].upper()[-1]}; the file "
            "is not whole: save the adapter anew"
        )
    a, b = (keys[side] for side in sides)
    shapes = [source.tensors[key].shape for key in (a, b)]
    rank, alpha = _rank_and_alpha(config, module)
    if any(len(shape) != 2 for shape in shapes):
        raise ConvertError(
            f"{source.file}: the LoRA of {module} is no pair of matrices but has the "
            f"shapes {shapes[0]} and {shapes[1]}; this converter knows linear layers "
            "and embeddings (and shards that were not gathered look so too)"
        )
    if {rank} != {shapes[0][0], shapes[1][1]}:
        raise ConvertError(
            f"{source.file}: {a} has rank {shapes[0][0]}, and {config.file.name} says "
            f"{rank} for {module}; the two files are not of one save"
        )
    if config.values.get("use_dora") and "magnitude" not in keys:
        raise ConvertError(
            f"{source.file}: {module} has no lora_magnitude_vector, and "
            f"{config.file.name} says `use_dora`; save the adapter anew"
        )
    steady = bool(config.values.get("use_rslora"))
    return Lora(
        module=module,
        a=a,
        b=b,
        rank=rank,
        scale=alpha / math.sqrt(rank) if steady else alpha / rank,
        embedding=embedding,
        magnitude=keys.get("magnitude"),
        bias=keys.get("bias"),
    )


def _rank_and_alpha(config: JsonFile, module: str) -> tuple[int, float]:
    """The patterns match the end of a module's name, as in PEFT's `get_pattern_key`."""
    rank = _of_pattern(config, "rank_pattern", module, config.values.get("r"))
    alpha = _of_pattern(
        config, "alpha_pattern", module, config.values.get("lora_alpha")
    )
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise ConvertError(
            f"{config.file}: the rank of {module} is {rank!r}; expected a whole number "
            "above 0"
        )
    if not isinstance(alpha, int | float) or isinstance(alpha, bool):
        raise ConvertError(
            f"{config.file}: the alpha of {module} is {alpha!r}; expected a number"
        )
    return rank, float(alpha)


def _of_pattern(config: JsonFile, name: str, module: str, otherwise: Any) -> Any:
    patterns = config.part(name)
    for pattern, value in (patterns.values if patterns else {}).items():
        try:
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error as error:
            raise ConvertError(
                f"{config.file}: `{name}` holds {pattern!r}, which is no pattern: "
                f"{error}"
            ) from error
    return otherwise


def _token_rows(
    config: JsonFile, source: SafetensorsFile, module: str, key: str
) -> tuple[int, ...]:
    """The numbers of the rows that `trainable_token_indices` has for `module`."""
    said = config.values.get("trainable_token_indices")
    if isinstance(said, dict):
        said = next((v for k, v in said.items() if module.endswith(str(k))), None)
    if (
        not isinstance(said, list)
        or not all(isinstance(n, int) and n >= 0 for n in said)
        or (len(said),) != source.tensors[key].shape[:1]
    ):
        raise ConvertError(
            f"{config.file}: `trainable_token_indices` does not say which tokens the "
            f"{source.tensors[key].shape[0]} rows of {key} are for"
        )
    return tuple(said)
