"""Maps weights to GGUF tensors, reordering rows block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 19
"""Values of a block: what is made of them stays in the processor's cache."""


@dataclass(frozen=True)
class TensorTarget:
    """The GGUF tensor that a weight becomes."""

    name: str
    """In the GGUF; in the table of a layer without its `blk.N.`"""
    shape: tuple[int, ...]
    """That the weight must have in its file: rows first."""
    heads: int = 0
    """The rows of each of so many heads are interleaved; 0: they stay in their order.

    Transformers rotates the first half of a head against the second, llama.cpp's
    llama each even row against the odd one after it.
    """
    transposed: bool = False
    """Stored (in, out), as GPT-2's Conv1D has it; a GGUF stores (out, in)."""
    add: float = 0.0
    """Added to every value, in float32: Gemma's norms scale by 1 + weight."""

    @property
    def gguf_shape(self) -> tuple[int, ...]:
        """Rows first, as numpy has it; the GGUF counts its dimensions from behind."""
        return self.shape[::-1] if self.transposed else self.shape

    def blocks(self, stored: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """`stored` (any type) in the order of the GGUF, some rows at a time.

        No block is cut within a row, so that each can be quantized by itself.
        """
        if self.transposed:
            yield from _pieces(stored.T)
        elif self.heads:
            yield from _interleaved(stored, self.heads)
        else:
            yield from _pieces(stored)

    def reordered(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`rows` (as many as the GGUF's tensor has) in the order of the GGUF."""
        if not self.heads:
            return rows
        return np.concatenate(list(_interleaved(rows, self.heads)))

    def taken_back(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The original weight from the values of a GGUF tensor (rows first)."""
        if self.add:
            values = values - np.float32(self.add)
        if self.transposed:
            return values.T
        if not self.heads:
            return values
        head = len(values) // self.heads
        pairs = values.reshape(-1, head // 2, 2, *values.shape[1:])
        return pairs.swapaxes(1, 2).reshape(values.shape)


def each_layer(
    prefix: str, layers: int, table: Mapping[str, TensorTarget]
) -> dict[str, TensorTarget]:
    """The `table` of a layer for each of `layers`: PREFIX.0.NAME to blk.0.NAME."""
    return {
        f"{prefix}.{layer}.{name}": replace(target, name=f"blk.{layer}.{target.name}")
        for layer in range(layers)
        for name, target in table.items()
    }


def _pieces(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    if array.ndim < 2:
        yield array
        return
    step = max(1, BLOCK // max(1, array[0].size))
    for start in range(0, len(array), step):
        yield array[start : start + step]


def _interleaved(rows: npt.NDArray[Any], heads: int) -> Iterator[npt.NDArray[Any]]:
    head = len(rows) // heads
    step = max(1, BLOCK // max(1, rows.size // heads))
    for start in range(0, heads, step):
        some = rows[start * head : (start + step) * head]
        halves = some.reshape(-1, 2, head // 2, *rows.shape[1:])
        yield halves.swapaxes(1, 2).reshape(some.shape)
