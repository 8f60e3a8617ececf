"""Reads MXFP4 as gpt-oss stores it: 32 numbers of four bits with one exponent.

Block for block it is the type of the same name in a GGUF, and no number changes: a
checkpoint has two neighbours in a byte, a GGUF a number and the sixteenth after it,
with the exponent before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

MXFP4 = "MXFP4"
BLOCK = 32
"""Numbers that share an exponent."""
BLOCKS, SCALES = "_blocks", "_scales"
"""Suffixes of the two tensors that hold one weight."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PackedExperts(Sequence[Bytes]):
    """Matrices of a layer's experts, each in the bytes of a GGUF when it is asked for.

    Attributes:
        blocks: (experts, rows, columns / 32, 16), two numbers a byte.
        scales: (experts, rows, columns / 32), exponents of 2 plus 127.
    """

    blocks: Bytes
    scales: Bytes

    def __len__(self) -> int:
        """The number of experts."""
        return len(self.blocks)

    @overload
    def __getitem__(self, expert: int) -> Bytes: ...
    @overload
    def __getitem__(self, expert: slice) -> Sequence[Bytes]: ...
    def __getitem__(self, expert: int | slice) -> Any:
        """The matrix of an expert: (rows, columns / 32 * 17) bytes."""
        if isinstance(expert, slice):
            return PackedExperts(self.blocks[expert], self.scales[expert])
        return repacked(self.blocks[expert], self.scales[expert])

    def __iter__(self) -> Iterator[Bytes]:
        """The matrices, one after the other."""
        return (self[expert] for expert in range(len(self)))


def repacked(blocks: Bytes, scales: Bytes) -> Bytes:
    """One matrix as a GGUF has it: (rows, columns / 32 * 17) bytes."""
    rows, across, half = blocks.shape
    codes = np.stack((blocks & 15, blocks >> 4), axis=-1).reshape(rows, across, -1)
    out = np.empty((rows, across, 1 + half), np.uint8)
    out[:, :, 0] = scales
    out[:, :, 1:] = codes[:, :, :half] | codes[:, :, half:] << 4
    return out.reshape(rows, -1)


def shape_of(blocks: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the weight that tensors of these shapes hold; empty if none."""
    if len(blocks) != 4 or blocks[3] != BLOCK // 2 or blocks[:3] != scales:
        return ()
    return (*blocks[:2], blocks[2] * BLOCK)
