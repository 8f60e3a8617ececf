"""Reads a PEFT LoRA: which weights it changes, and how.

The keys of the weights are those of PEFT 0.21 (`peft/utils/save_and_load.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

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
from convert.peft_lora import OF_EXPERTS, Lora, loras_of
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
        "target_parameters",
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

    def sides(self, lora: Lora) -> tuple[Array, Array]:
        """A and B of `lora`, as float32.

        Raises:
            ConvertError: a number in them is not finite.
        """
        a, b = self.numbers(lora.a), self.numbers(lora.b)
        if lora.part is None:
            return a, b
        at, experts = lora.part.expert, lora.part.experts
        a = a.reshape(experts, -1, a.shape[-1])[at]
        b = b[lora.part.rows(len(b))].reshape(-1, lora.rank, experts)[:, :, at]
        return a, np.ascontiguousarray(b)

    def shapes(self, lora: Lora) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of A and B of `lora`."""
        a, b = (self.source.tensors[key].shape for key in (lora.a, lora.b))
        if lora.part is None:
            return a, b
        return (lora.rank, *a[1:]), (b[0] // lora.part.joined, lora.rank)

    def numbers(self, key: str) -> Array:
        """A tensor of the adapter as float32.

        Raises:
            ConvertError: a number in it is not finite.
        """
        values = _floats(self.source, key)
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
        lora.module: lora
        for module, keys in parts.items()
        if "tokens" not in keys
        for lora in loras_of(config, source, module, keys)
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
    for name in config.values.get("target_parameters") or ():
        if str(name).rpartition(".")[2] not in (*OF_EXPERTS, "weight"):
            raise ConvertError(
                f"{config.file}: `target_parameters` has {name!r}, and this converter "
                f"knows {', '.join(OF_EXPERTS)} and routers; merge the adapter with "
                "PEFT's merge_and_unload and convert the result"
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


@lru_cache(maxsize=2)
def _floats(source: SafetensorsFile, key: str) -> Array:
    """Kept while the experts that share a tensor are gone through."""
    return source.floats(key)


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
