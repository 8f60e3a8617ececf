"""Reads a LoRA adapter in GGUF, and checks it against its base.

The rules are llama.cpp's (src/llama-adapter.cpp): the change of a weight is
scale x B x A, where the scale is alpha / rank, and 1 where the file names no alpha. Of
the embedding A lies a row a token, and a token's change is B times its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFType, Keys

from convert.errors import ConvertError
from convert.gguf.contents import GgufFacts, read_facts
from convert.gguf.tensors import StoredTensor, stored_tensors
from convert.hf_folder import Array

A, B = ".lora_a", ".lora_b"
EMBEDDING, HEAD = "token_embd.weight", "output.weight"
INVOCATION = Keys.Adapter.ALORA_INVOCATION_TOKENS

CANNOT_BE_MERGED = (
    ", which works only from its invocation tokens on; merged weights would work from "
    "the first token. Use it beside its base, or train a plain LoRA"
)


@dataclass(frozen=True)
class WeightChange:
    """A LoRA's change of one weight: (rows, rank) x (rank, columns) x scale."""

    left: StoredTensor
    right: StoredTensor
    turned: bool
    """`right` is stored (columns, rank): B of an embedding."""
    scale: float

    def matrices(self) -> tuple[Array, Array]:
        """Left matrix with the scale applied, and right; decoded into memory."""
        right = self.right.floats()
        left = self.left.floats() * np.float32(self.scale)
        return left, np.ascontiguousarray(right.T) if self.turned else right


@dataclass(frozen=True)
class GgufLora:
    """A plain LoRA that fits its base."""

    facts: GgufFacts
    loras: dict[str, WeightChange]
    """By the name of the weight."""


def read_lora(file: Path, base: GgufFacts) -> GgufLora:
    """Read the LoRA adapter in `file`, which is to fit `base`.

    Raises:
        ConvertError: it is no plain LoRA, or is one of another model.
    """
    if file.is_dir():
        raise ConvertError(
            f"{file} is a folder, and on a base in GGUF an adapter in GGUF is "
            "expected; make it one first: medassist convert adapter"
        )
    facts = read_facts(file)
    require_lora(facts)
    if INVOCATION in facts.values:
        raise ConvertError(f"{file} is an activated LoRA{CANNOT_BE_MERGED}")
    require_fit(facts, base)
    alpha = facts.values.get(Keys.Adapter.LORA_ALPHA)
    if alpha is not None and not isinstance(alpha, float):
        raise ConvertError(
            f"{file}: {Keys.Adapter.LORA_ALPHA} is {alpha!r}, and a number in F32 is "
            "expected; convert the adapter again"
        )
    stored = stored_tensors(file)
    if experts := [name for name, tensor in stored.items() if len(tensor.shape) > 2]:
        raise ConvertError(
            f"{file} adapts experts ({experts[0]}), which this does not merge between "
            "GGUFs; merge the PEFT adapter into the Hugging Face model that both were "
            "made from: medassist convert merge BASE ADAPTER OUT"
        )
    return GgufLora(
        facts, {name: _lora(name, stored, alpha or 0.0) for name in _adapted(facts)}
    )


def require_lora(adapter: GgufFacts) -> None:
    """Check that `adapter` is a LoRA.

    Raises:
        ConvertError: it is something else.
    """
    if adapter.kind != GGUFType.ADAPTER:
        raise ConvertError(
            f"{adapter.file} is a GGUF of the kind {adapter.kind!r}, and an adapter is "
            "expected (`convert adapter` makes one)"
        )
    if (kind := adapter.values.get(Keys.Adapter.TYPE)) != "lora":
        raise ConvertError(
            f"{adapter.file} is an adapter of the type {kind!r}, and a LoRA is expected"
        )


def require_fit(adapter: GgufFacts, base: GgufFacts) -> None:
    """Check that llama.cpp would accept the LoRA `adapter` on `base`.

    Raises:
        ConvertError: it is of another model, or holds what is no LoRA.
    """
    if adapter.architecture != base.architecture:
        raise ConvertError(
            f"{adapter.file} is an adapter for {adapter.architecture}, and {base.file} "
            f"is {base.architecture}; give the adapter of this model"
        )
    shapes = {tensor.name: tensor.shape for tensor in adapter.tensors}
    weights = {tensor.name: tensor.shape for tensor in base.tensors}
    for name in _adapted(adapter):
        a, b = shapes.get(f"{name}{A}"), shapes.get(f"{name}{B}")
        if a is None or b is None:
            lacking = f"{name}{A if a is None else B}"
            raise ConvertError(
                f"{adapter.file} lacks {lacking}; the file is not whole: convert the "
                "adapter again"
            )
        if name in (EMBEDDING, HEAD) and HEAD not in weights:
            raise ConvertError(
                f"{adapter.file} adapts {name}, and in {base.file} embedding and "
                "output layer are one tensor, which llama.cpp cannot adapt for one of "
                "the two; merge the adapter into the Hugging Face model that both "
                "were made from"
            )
        _require_shapes(adapter, base, name, (a, b), weights.get(name))


def _adapted(adapter: GgufFacts) -> list[str]:
    """The weights that an adapter changes."""
    names: dict[str, None] = {}
    for tensor in adapter.tensors:
        name = tensor.name.removesuffix(A).removesuffix(B)
        if name == tensor.name:
            raise ConvertError(
                f"{adapter.file} holds {name}, which is no part of a LoRA; it was made "
                "by another program, or for another one"
            )
        names[name] = None
    if not names:
        raise ConvertError(f"{adapter.file} holds no tensors, so it changes nothing")
    return [*names]


def _require_shapes(
    adapter: GgufFacts,
    base: GgufFacts,
    name: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    weight: tuple[int, ...] | None,
) -> None:
    a, b = shapes
    if weight is None:
        found = f"{base.file} has no {name}"
    elif not len(a) == len(b) == len(weight) or len(weight) not in (2, 3):
        found = f"{name} has the shape {weight}, with A {a} and B {b}"
    else:
        # A file has the length of a row first.
        columns, rows, *experts = weight
        wanted = ((b[0], rows), (b[0], columns))
        if name != EMBEDDING:
            wanted = ((columns, b[0], *experts), (b[0], rows, *experts))
        if (a, b) == wanted:
            return
        found = f"{name} has the shape {weight}, with A {a} and B {b}"
    raise ConvertError(
        f"{adapter.file} does not fit {base.file}: {found}; give the adapter that was "
        "trained on this model"
    )


def _lora(name: str, stored: dict[str, StoredTensor], alpha: float) -> WeightChange:
    a, b = stored[f"{name}{A}"], stored[f"{name}{B}"]
    scale = alpha / b.fact.shape[0] if alpha else 1.0
    if name == EMBEDDING:
        return WeightChange(a, b, turned=True, scale=scale)
    return WeightChange(b, a, turned=False, scale=scale)
