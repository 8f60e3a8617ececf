"""Converts a PEFT LoRA, plain or activated, to a GGUF adapter.

llama.cpp multiplies B @ A by alpha / rank, where rank is that of each B and alpha is
one number for the whole file (src/llama-adapter.h). PEFT's scale is another for rsLoRA
and may differ by module, so alpha is written such that most scales come out as they
are, and what remains is folded into B.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFType, GGUFValueType, GGUFWriter, Keys
from pydantic import BaseModel, ConfigDict

from convert.adapter_text_part import text_part, used_part
from convert.architectures import (
    Architecture,
    architecture_of,
    has_towers,
    unused_in,
)
from convert.architectures.tied import HEAD
from convert.chat_template import template_in
from convert.encode import SAME, encode
from convert.errors import ConvertError
from convert.foreign import Sight, of_tensors, refuse_form
from convert.gguf.file import Quantization, add_tensor, kind_of, new_gguf
from convert.gguf.head import read_head
from convert.gguf.lora import INVOCATION
from convert.gguf.lora_pairs import LoraPair, another_base, lora_pairs, needs_merging
from convert.gguf.model import About
from convert.hf_folder import Array, Weight, read_config, read_weights
from convert.peft_adapter import PeftAdapter, read_adapter
from medassist.core.card import Sha256
from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched

_LARGEST_F16 = 65504.0
# What a GGUF adapter has no place for, by its key in adapter_config.json.
_NEEDS_MERGING = {
    "use_dora": "it is a DoRA, whose magnitudes a GGUF adapter cannot hold",
    "modules_to_save": "whole modules were trained, which a GGUF adapter cannot hold",
    "trainable_token_indices": "rows of the embedding were trained, which a GGUF "
    "adapter cannot hold",
    "lora_bias": "it has biases, which a GGUF adapter cannot hold",
}


class WrittenAdapter(BaseModel):
    """Contents of a GGUF adapter file."""

    model_config = ConfigDict(frozen=True)

    file: str
    bytes: int
    sha256: Sha256
    architecture: str
    alpha: float
    """llama.cpp scales by alpha / rank."""
    pairs: int
    """Weights that are adapted."""
    invocation: tuple[int, ...]
    """Tokens that switch an activated LoRA on."""
    notes: tuple[str, ...] = ()
    """What the user should know of it: sentences."""


def convert_adapter(
    adapter: Path,
    base: Path,
    file: Path,
    about: About,
    quantization: Quantization = "f16",
    *,
    force: bool = False,
    watcher: Watcher = unwatched,
) -> Path:
    """Convert the PEFT LoRA in `adapter`, trained on the model in `base`, to `file`.

    Args:
        adapter: adapter_config.json and adapter_model.safetensors.
        base: a Hugging Face model; of its files only config.json and the chat template
            are read, unless the adapter changes the embedding or the output layer, or
            carries a copy.
        file: the GGUF.
        about: what it says about itself.
        quantization: of A and B.
        force: whether a file that is there may be replaced.
        watcher: is told how far it is.

    Raises:
        ConvertError: it cannot be written exactly, adapts what the base has not, or
            the file cannot be written.
    """
    loras = read_adapter(adapter)
    config = read_config(base)
    if has_towers(config):
        loras = text_part(loras)
    loras = used_part(loras, unused_in(config))
    architecture = _architecture(loras, base)
    check_convertible(loras, base)
    pairs = lora_pairs(loras, architecture)
    alpha = _common_alpha(loras, pairs)
    name = architecture.gguf_name
    with new_gguf(file, name, force=force, watcher=watcher) as writer:
        _write_about(writer, about, alpha, loras.invocation)
        # The base's GGUF has the base's; what the adapter was taught in stands here.
        template = template_in(adapter)
        if template is not None and template != template_in(base):
            writer.add_chat_template(template)
        for pair in pairs:
            folded = pair.b * np.float32(pair.alpha / alpha)
            b = pair.b if pair.alpha == alpha else folded
            for side, tensor in (("a", pair.a), ("b", b)):
                tensor_name = f"{pair.name}.lora_{side}"
                _check_fits(loras, tensor_name, tensor, quantization)
                add_tensor(writer, tensor_name, tensor, quantization)
    return file


def written_adapter(file: Path) -> WrittenAdapter:
    """Read the contents of the GGUF adapter `file`.

    Raises:
        ConvertError: it is none.
    """
    head = read_head(file)
    alpha = head.values.get(Keys.Adapter.LORA_ALPHA)
    tokens = head.values.get(INVOCATION)
    if head.text(Keys.General.TYPE) != GGUFType.ADAPTER or not isinstance(alpha, float):
        raise ConvertError(f"{file} is a GGUF, but no adapter")
    return WrittenAdapter(
        file=file.name,
        bytes=file.stat().st_size,
        sha256=sha256_of_file(file),
        architecture=str(head.text(Keys.General.ARCHITECTURE)),
        alpha=alpha,
        pairs=sum(tensor.name.endswith(".lora_b") for tensor in head.tensors),
        invocation=tuple(tokens) if isinstance(tokens, list) else (),
    )


def reads_weights(adapter: PeftAdapter) -> bool:
    """Whether converting it needs weights of the base, not only its settings.

    That is where it has copies of some, or changes the embedding or the output layer,
    which may be one.
    """
    ends = tuple(lora for lora in adapter.loras.values() if lora.embedding)
    head = HEAD.removesuffix(".weight")
    adapts_head = any(module.endswith(head) for module in adapter.loras)
    return bool(adapter.whole or ends) or adapts_head


def check_convertible(adapter: PeftAdapter, base: Path) -> None:
    """Check that a GGUF adapter can hold all of `adapter`'s changes to `base`.

    Raises:
        NeedsMerging: it cannot.
    """
    config = adapter.config
    for key, why in _NEEDS_MERGING.items():
        if config.values.get(key):
            raise needs_merging(adapter, f"{why} (`{key}` in {config.file.name})")
    if config.values.get("bias", "none") != "none":
        raise needs_merging(
            adapter, "biases were trained too, which a GGUF adapter cannot hold"
        )
    if adapter.whole:
        _check_copies(adapter, base)


def _architecture(adapter: PeftAdapter, base: Path) -> Architecture:
    """That of `base`, whose files say what config.json may have wrong."""
    architecture = architecture_of(read_config(base))
    ends = {HEAD, *architecture.embeddings}
    if ends.isdisjoint(f"{module}.weight" for module in adapter.loras):
        return architecture
    return architecture.over(read_weights(base))


def _check_copies(adapter: PeftAdapter, base: Path) -> None:
    """Weights beside the LoRAs must be the base's own.

    PEFT saves the embedding beside a LoRA on it, and where it takes the vocabulary for
    a resized one; the whole state of a training holds all that it was trained on.
    """
    stored = read_weights(base)
    architecture = architecture_of(read_config(base)).over(stored)
    weights = {architecture.targets_of(weight.name): weight for weight in stored}
    for name, key in adapter.whole.items():
        try:
            place = architecture.targets_of(name)
        except ConvertError as error:
            raise another_base(adapter, name, architecture) from error
        if not place and name == HEAD:
            place = architecture.targets_of(architecture.embeddings[0])
        weight = weights.get(place) if place else None
        if weight is None or _is_copy(adapter, key, weight):
            continue
        refuse_form(of_tensors(adapter.source.file, [key], Sight.ADAPTER_TENSOR))
        raise needs_merging(
            adapter,
            f"it holds {name} as a whole, which is not the base's (its vocabulary was "
            "resized, the module was trained, or it is for another base), and a GGUF "
            "adapter cannot hold it",
        )


def _is_copy(adapter: PeftAdapter, key: str, weight: Weight) -> bool:
    """Whether a tensor of `adapter` is `weight`, or that rounded to its own type."""
    info = adapter.source.tensors[key]
    if info.shape != weight.shape:
        return False
    copy, own = adapter.numbers(key), weight.source.floats(weight.name)
    if np.array_equal(copy, own):
        return True
    kind = SAME.get(info.dtype)
    return kind is not None and np.array_equal(
        encode(own, "F32", kind), np.frombuffer(adapter.source.raw(key), np.uint8)
    )


def _common_alpha(adapter: PeftAdapter, pairs: list[LoraPair]) -> float:
    """The alpha of most pairs, as the float32 that the file will hold.

    To llama.cpp an alpha of 0 means that nothing is scaled, so it is never written.
    """
    counts = Counter(pair.alpha for pair in pairs if pair.alpha)
    if not counts:
        raise ConvertError(
            f"{adapter.config.file}: `lora_alpha` is 0, so the adapter changes "
            "nothing; use the base as it is"
        )
    return counts.most_common(1)[0][0]


def _check_fits(
    adapter: PeftAdapter, name: str, tensor: Array, quantization: Quantization
) -> None:
    stored_in_f16 = kind_of(name, tensor.shape, quantization).name in ("F16", "Q8_0")
    if stored_in_f16 and np.abs(tensor).max(initial=0) > _LARGEST_F16:
        raise ConvertError(
            f"{adapter.source.file}: {name} holds numbers that {quantization} cannot; "
            "use --outtype f32"
        )


def _write_about(
    writer: GGUFWriter, about: About, alpha: float, invocation: tuple[int, ...]
) -> None:
    writer.add_type(GGUFType.ADAPTER)
    if about.name:
        writer.add_name(about.name)
    if about.description:
        writer.add_description(about.description)
    if about.licence:
        writer.add_license(about.licence)
    writer.add_string(Keys.Adapter.TYPE, "lora")
    writer.add_float32(Keys.Adapter.LORA_ALPHA, alpha)
    if invocation:
        writer.add_key_value(
            INVOCATION, list(invocation), GGUFValueType.ARRAY, GGUFValueType.UINT32
        )
