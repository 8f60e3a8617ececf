"""The A and B of a PEFT adapter, weight by weight, as a GGUF has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from convert.architectures import Architecture
from convert.errors import ConvertError, NeedsMerging
from convert.foreign import Sight, of_tensors
from convert.hf_folder import Array
from convert.peft_adapter import PeftAdapter
from convert.peft_lora import Lora

_EMBEDDING = "token_embd.weight"


@dataclass(frozen=True)
class LoraPair:
    """A and B of one weight as the GGUF has them."""

    name: str
    """Of the adapted weight."""
    a: Array
    """(rank, in); of the embedding (vocabulary, rank); of experts one for each"""
    b: Array
    """(out, rank); of experts one for each"""
    scale: float
    slice_of: tuple[int, int] | None = None
    """Which slice of so many of the weight: an expert's."""

    @property
    def rank(self) -> int:
        """Of A and B."""
        return self.b.shape[-1]

    @property
    def alpha(self) -> float:
        """With which llama.cpp would scale this pair as PEFT does."""
        return self.scale * self.rank


def lora_pairs(adapter: PeftAdapter, architecture: Architecture) -> list[LoraPair]:
    """The pairs of all that `adapter` changes in a base of `architecture`.

    Raises:
        NeedsMerging: llama.cpp has no place for one of them.
        ConvertError: the base has no such weight, or one of another shape.
    """
    found: dict[str, list[LoraPair]] = {}
    for lora in adapter.loras.values():
        for pair in _pairs_of(adapter, architecture, lora):
            found.setdefault(pair.name, []).append(pair)
    return [
        pair
        for pairs in found.values()
        for pair in ([_stacked(adapter, pairs)] if pairs[0].slice_of else pairs)
    ]


def _stacked(adapter: PeftAdapter, pairs: list[LoraPair]) -> LoraPair:
    """The pairs of the experts of one tensor as one; an expert without has zeros."""
    first = pairs[0]
    if {pair.rank for pair in pairs} != {first.rank}:
        raise needs_merging(adapter, f"its ranks on the experts in {first.name} differ")
    assert first.slice_of
    a, b = (
        np.zeros((first.slice_of[1], *s.shape), s.dtype) for s in (first.a, first.b)
    )
    scale = max(pair.scale for pair in pairs)
    for pair in pairs:
        assert pair.slice_of
        expert, _ = pair.slice_of
        ratio = pair.scale / scale if scale else 1.0
        a[expert] = pair.a
        b[expert] = pair.b if ratio == 1 else pair.b * np.float32(ratio)
    return LoraPair(first.name, a, b, scale)


def _pairs_of(
    adapter: PeftAdapter, architecture: Architecture, lora: Lora
) -> Iterator[LoraPair]:
    weight = f"{lora.module}.weight"
    try:
        targets = architecture.targets_of(weight)
    except ConvertError as error:
        raise another_base(adapter, weight, architecture) from error
    target = targets[0] if targets else None
    if target is None or (target.name == _EMBEDDING and architecture.sizes.tied):
        raise needs_merging(
            adapter,
            f"it adapts {weight}, and embedding and output layer of the base are one "
            "tensor, which llama.cpp cannot adapt for one of the two",
        )
    of_tokens = lora.embedding and target.name != _EMBEDDING
    if len(target.shape) != 2 or of_tokens or not target.takes_lora:
        raise needs_merging(adapter, f"llama.cpp applies no LoRA to {weight}")
    if lora.part and architecture.experts_turned:
        lora = replace(lora, part=replace(lora.part, alternate=True))
    a, b = adapter.sides(lora)
    found = (a.shape[1], b.shape[0]) if lora.embedding else (b.shape[0], a.shape[1])
    wanted = target.shape[::-1] if target.transposed else target.shape
    if found != wanted:
        raise ConvertError(
            f"{adapter.source.file}: the LoRA on {weight} is for a weight of "
            f"{found[0]} x {found[1]}, and the base's has {wanted[0]} x "
            f"{wanted[1]}; give the base that the adapter was trained on"
        )
    if lora.embedding:
        # llama.cpp looks up rows of A, and takes B as it is (build_inp_embd).
        yield LoraPair(target.name, np.ascontiguousarray(a.T), b, lora.scale)
        return
    for each in targets:
        rows = np.ascontiguousarray(each.reordered(b))
        columns = np.ascontiguousarray(each.reordered_columns(a))
        yield LoraPair(each.name, columns, rows, lora.scale, each.slice_of)


def another_base(
    adapter: PeftAdapter, weight: str, architecture: Architecture
) -> ConvertError:
    """The error on a weight that the base has not."""
    file = adapter.source.file
    return ConvertError(
        of_tensors(file, _unknown_names(adapter, architecture), Sight.ADAPTER_TENSOR)
        or f"{file} adapts {weight}, which the base, a "
        f"{architecture.gguf_name}, does not have; give the base that the adapter was "
        "trained on"
    )


def _unknown_names(adapter: PeftAdapter, architecture: Architecture) -> list[str]:
    """The names in which a sign of another tool may be: not those of a text tower."""
    if architecture.in_images:
        return [*adapter.loras, *adapter.whole]
    return [*adapter.source.tensors]


def needs_merging(adapter: PeftAdapter, why: str) -> NeedsMerging:
    """The error on what no GGUF adapter can hold, with the way out."""
    return NeedsMerging(
        f"{adapter.folder}: {why}; merge the adapter into its base (medassist convert "
        "merge BASE ADAPTER OUT) and convert the result"
    )
