"""Maps weights to GGUF tensors, reordering and cutting rows block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 1 << 19
"""Values of a block: what is made of them stays in the processor's cache."""
Order = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TensorTarget:
    """The GGUF tensor that a weight becomes."""

    name: str
    """Name in the GGUF; in the table of a layer without its `blk.N.`"""
    shape: tuple[int, ...]
    """Shape that the weight must have in its file: rows first."""
    grid: tuple[int, ...] = ()
    """The rows in their file as a grid, whose axes stand in the GGUF in the order of
    `axes`; empty: rows stay in their order."""
    axes: tuple[int, ...] = ()
    first: int = 0
    """Rows before this one stay where they are; the grid is of the others."""
    of_columns: bool = False
    """What is said of rows by `grid`, `axes` and `first` is said of columns."""
    rows: tuple[int, int] | None = None
    """First row, and the one after the last, of the reordered weight, where it holds
    several tensors; `None`: all of them."""
    slice_of: tuple[int, int] | None = None
    """Index and number of slices, where the experts of a layer are one tensor."""
    stacked: bool = False
    """The weight holds those of all experts, one behind the other, and so does the
    GGUF; what else is said here is said of one of them."""
    transposed: bool = False
    """Stored (in, out), as GPT-2's Conv1D has it; a GGUF stores (out, in)."""
    reshaped: tuple[int, ...] = ()
    """Shape in the GGUF, where it is not `shape`; the numbers stay in their order."""
    takes_lora: bool = True
    """llama.cpp looks for a LoRA where it multiplies by this."""
    logarithm: bool = False
    """Stored as the logarithm of how fast a state decays; a GGUF has minus that."""
    add: float = 0.0
    """Added to every value, in float32: Gemma's norms scale by 1 + weight."""

    def interleaved(self, heads: int) -> TensorTarget:
        """This target with the two halves of each of `heads` interleaved.

        Transformers rotates the first half of a head against the second, llama.cpp's
        llama each even row against the odd one after it.
        """
        return replace(self, grid=(heads, 2, -1), axes=(0, 2, 1))

    @property
    def bias(self) -> TensorTarget:
        """The target of the bias beside this matrix."""
        name = self.name.replace(".weight", ".bias")
        return replace(self, name=name, shape=self.shape[:1])

    @property
    def gguf_shape(self) -> tuple[int, ...]:
        """Rows first, as numpy has it; the GGUF counts its dimensions from behind."""
        if self.reshaped:
            return self.reshaped
        if self.stacked:
            return (self.shape[0], *self.of_one.gguf_shape)
        shape = self.shape[::-1] if self.transposed else self.shape
        if self.rows is not None:
            shape = (self.rows[1] - self.rows[0], *shape[1:])
        return shape if self.slice_of is None else (self.slice_of[1], *shape)

    @property
    def of_one(self) -> TensorTarget:
        """The target of one expert's, where the weight holds all of them."""
        return replace(self, shape=self.shape[1:], stacked=False)

    @property
    def place(self) -> tuple[str, int]:
        """The tensor, and which slice of it: no two weights have the same."""
        return self.name, self.slice_of[0] if self.slice_of else 0

    def blocks(
        self, stored: npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
    ) -> Iterator[npt.NDArray[Any]]:
        """`stored` (any type) in the order of the GGUF, some rows at a time.

        No block is cut within a row, so that each can be quantized by itself.

        Args:
            stored: the weight; or of experts one after the other.
        """
        if self.stacked:
            for one in stored:
                yield from self.of_one.blocks(one)
            return
        assert isinstance(stored, np.ndarray)
        if self.transposed:
            stored = stored.T
        order = self._order(len(stored))
        columns = self._order_of_columns(stored)
        step = max(1, BLOCK * len(stored) // max(1, stored.size))
        start, end = self.rows or (0, len(stored))
        for row in range(start, end, step):
            some = slice(row, min(end, row + step))
            block = stored[some if order is None else order[some]]
            yield block if columns is None else block[:, columns]

    def reordered(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`rows` (as many as the weight has) in the order of the GGUF, and cut."""
        order = self._order(len(rows))
        return (rows if order is None else rows[order])[slice(*self.rows or (None,))]

    def reordered_columns(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`values` (with as many columns as the weight has) in the GGUF's order."""
        columns = self._order_of_columns(values)
        return values if columns is None else values[:, columns]

    def taken_back(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The original weight from the values of a GGUF tensor (rows first).

        Raises:
            ValueError: the weight holds other tensors too, is one of experts, or its
                numbers are not those of the GGUF.
        """
        if self.rows is not None or self.stacked or self.logarithm:
            raise ValueError(f"{self.name} is not all of its weight")
        if self.add:
            values = values - np.float32(self.add)
        if self.transposed:
            return values.T
        if (columns := self._order_of_columns(values)) is not None:
            return values[:, np.argsort(columns)]
        order = self._order(len(values))
        return values if order is None else values[np.argsort(order)]

    def _order(self, rows: int) -> Order | None:
        """For each of `rows` of the GGUF, its row in the file."""
        return None if self.of_columns else self._order_of(rows)

    def _order_of_columns(self, values: npt.NDArray[Any]) -> Order | None:
        """For each column of the GGUF, its column in the file."""
        return self._order_of(values.shape[1]) if self.of_columns else None

    def _order_of(self, count: int) -> Order | None:
        if not self.grid:
            return None
        order = np.arange(count)
        some = order[self.first :].reshape(self.grid)
        return np.concatenate(
            (order[: self.first], some.transpose(self.axes).reshape(-1))
        )


Targets = TensorTarget | tuple[TensorTarget, ...]
"""The GGUF tensor, or the several, that a weight becomes."""
Table = Mapping[str, Targets]
"""Those of each weight, by its name."""


def cut(weight: TensorTarget, *parts: tuple[str, int]) -> tuple[TensorTarget, ...]:
    """The tensors that one weight becomes: names, numbers of rows."""
    found: list[TensorTarget] = []
    start = 0
    for name, rows in parts:
        found.append(replace(weight, name=name, rows=(start, start + rows)))
        start += rows
    return tuple(found)


def each_layer(
    prefix: str, table: Table, layers: Iterable[int]
) -> dict[str, tuple[TensorTarget, ...]]:
    """The `table` of a layer for each of `layers`: PREFIX.0.NAME to blk.0.NAME."""
    return {
        f"{prefix}.{layer}.{name}": tuple(
            replace(target, name=f"blk.{layer}.{target.name}")
            for target in as_tuple(targets)
        )
        for layer in layers
        for name, targets in table.items()
    }


def as_tuple(
    targets: TensorTarget | tuple[TensorTarget, ...],
) -> tuple[TensorTarget, ...]:
    """One target, as several are."""
    return targets if isinstance(targets, tuple) else (targets,)
