"""A PEFT LoRA as a GGUF adapter, plain or activated."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from gguf import GGUFType, GGUFValueType, Keys

from convert.architectures import Architecture, architecture_of
from convert.errors import ConvertError
from convert.gguf_file import Quantization, add_tensor, new_gguf
from convert.gguf_model import About
from convert.hf_folder import Array, JsonFile, read_tensors

_LORA = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
_CHANGES_MEANING = (
    "use_dora",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "lora_bias",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
)


@dataclass(frozen=True)
class LoraSettings:
    """What a PEFT adapter_config.json says, as far as a GGUF can say it."""

    rank: int
    alpha: float
    """llama.cpp scales by alpha / rank."""
    invocation: tuple[int, ...]
    """Of an activated LoRA; empty for a plain one."""

    @classmethod
    def read(cls, config: JsonFile) -> LoraSettings:
        """Read an adapter_config.json.

        Raises:
            ConvertError: it is no LoRA, or one that a GGUF adapter cannot be.
        """
        if config.values.get("peft_type") != "LORA":
            raise ConvertError(
                f"{config.file}: a {config.values.get('peft_type')} adapter; a GGUF "
                "adapter is a LoRA. Merge it into its base and convert the result"
            )
        for key in _CHANGES_MEANING:
            if value := config.values.get(key):
                raise ConvertError(
                    f"{config.file}: `{key}` is {value!r}, which a GGUF adapter cannot "
                    "hold; merge the adapter into its base and convert the result"
                )
        if config.values.get("bias", "none") != "none":
            raise ConvertError(
                f"{config.file}: biases were trained too, which a GGUF adapter cannot "
                "hold; merge the adapter into its base and convert the result"
            )
        rank, alpha = config.integer("r"), config.number("lora_alpha")
        if config.values.get("use_rslora"):
            # Its scale is alpha / sqrt(rank); llama.cpp's is alpha / rank.
            alpha *= math.sqrt(rank)
        invocation = config.values.get("alora_invocation_tokens") or []
        return cls(rank, alpha, tuple(int(token) for token in invocation))


def convert_adapter(
    adapter: Path,
    base: Path,
    file: Path,
    about: About,
    quantization: Quantization = "f16",
) -> Path:
    """Convert the PEFT LoRA in `adapter`, trained on the model in `base`, to `file`.

    Raises:
        ConvertError: it cannot be written exactly, or adapts what the base has not.
    """
    settings = LoraSettings.read(JsonFile.read(adapter / "adapter_config.json"))
    architecture = architecture_of(JsonFile.read(base / "config.json"))
    weights = adapter / "adapter_model.safetensors"
    with new_gguf(file, architecture.gguf_name) as writer:
        writer.add_type(GGUFType.ADAPTER)
        writer.add_name(about.name)
        if about.description:
            writer.add_description(about.description)
        if about.licence:
            writer.add_license(about.licence)
        writer.add_string(Keys.Adapter.TYPE, "lora")
        writer.add_float32(Keys.Adapter.LORA_ALPHA, settings.alpha)
        if settings.invocation:
            writer.add_key_value(
                Keys.Adapter.ALORA_INVOCATION_TOKENS,
                list(settings.invocation),
                GGUFValueType.ARRAY,
                GGUFValueType.UINT32,
            )
        for name, tensor in _lora_tensors(weights, settings, architecture):
            add_tensor(writer, name, tensor, quantization)
    return file


def _lora_tensors(
    weights: Path, settings: LoraSettings, architecture: Architecture
) -> list[tuple[str, Array]]:
    """A (rank, in) and B (out, rank) of each adapted weight under its GGUF name."""
    found: list[tuple[str, Array]] = []
    for name, tensor in read_tensors([weights]):
        match = _LORA.fullmatch(name)
        if match is None:
            raise ConvertError(
                f"{weights}: {name} is not part of a LoRA; a GGUF adapter cannot hold "
                "it. Merge the adapter into its base and convert the result"
            )
        weight, side = f"{match[1]}.weight", match[2]
        gguf_name = architecture.tensor_name(weight)
        if gguf_name is None or not gguf_name.startswith("blk."):
            raise ConvertError(
                f"{weights}: {name} adapts the embeddings or the output layer; leave "
                "them out of target_modules, or merge the adapter into its base"
            )
        rank = tensor.shape[0 if side == "A" else 1]
        if rank != settings.rank:
            raise ConvertError(
                f"{weights}: {name} has rank {rank}, and adapter_config.json says "
                f"{settings.rank}"
            )
        if side == "B":
            tensor = architecture.reorder_rows(weight, tensor)
        found.append((f"{gguf_name}.lora_{side.lower()}", tensor))
    if not found:
        raise ConvertError(f"{weights} holds no LoRA weights")
    return found
