"""Tensors of a GGUF: memory-mapped, and decoded some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import quants

from convert.gguf.contents import shards_of
from convert.gguf.head import TensorFact, read_head, tensor_rows
from convert.hf_folder import Array

Rows = slice | npt.NDArray[np.int64]


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in its file."""

    file: Path
    fact: TensorFact

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first, as numpy has it; a GGUF lists the length of a row first."""
        return self.fact.shape[::-1]

    @property
    def rows(self) -> int:
        """Number of rows, over all further dimensions."""
        return prod(self.fact.shape[1:])

    def raw(self) -> npt.NDArray[np.uint8]:
        """The mapped bytes, one row each."""
        return tensor_rows(self.file, self.fact)

    def floats(self, rows: Rows = slice(None)) -> Array:
        """Some rows, decoded: (rows, columns).

        Raises:
            NotImplementedError: only llama.cpp decodes its type.
        """
        return quants.dequantize(self.raw()[rows], self.fact.kind)


def stored_tensors(gguf: Path) -> dict[str, StoredTensor]:
    """The tensors of the model or adapter in `gguf`, of all parts of a split one.

    Raises:
        ConvertError: a file cannot be read.
    """
    return {
        fact.name: StoredTensor(part, fact)
        for part in shards_of(gguf)
        for fact in read_head(part).tensors
    }
