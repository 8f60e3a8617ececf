"""Computes merged weights, some rows at a time.

PEFT computes in float32 whatever the types of weight and adapter (it casts adapters to
float32 when it loads them) and rounds once to the weight's type; so does this, and with
the same operations of torch in the same order, so that the bits are the same, but for
two things that are more exact here: PEFT rounds the change of an embedding to the
weight's type before it adds it, and rounds the sum again; and it sums the norms of a
DoRA on a weight that lies (in, out) in float32, which is done in float64 here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from convert.errors import ConvertError
from convert.merge.weight_plan import WeightPlan
from convert.peft_adapter import PeftAdapter
from convert.peft_lora import Lora

BLOCK = 1 << 17
"""Values of a block: small enough for the processor's cache, and for any memory."""
ROWS = 64
"""A block has a multiple of so many rows, the last one as many at least."""
COPIED = 1 << 23
"""Bytes of a block of what is only copied."""
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch compute with one thread: blocks of this size gain nothing by more.

    On a machine that has other work the threads of a block wait for each other: a
    merge of 1 GB took 150 s with two threads on two busy cores, and 43 s with one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def merged_blocks(plan: WeightPlan, adapter: PeftAdapter) -> Iterator[memoryview]:
    """The bytes of the merged weight, in order.

    Raises:
        ConvertError: a number in it is not finite.
    """
    if plan.kept:
        raw = plan.source.raw(plan.key)
        for start in range(0, len(raw), COPIED):
            yield raw[start : start + COPIED]
        return
    stored = _stored(plan)
    for one, lora in zip(stored, plan.experts, strict=False):
        change = _Change(lora, adapter, turned=plan.turned)
        yield from _blocks(plan, adapter, one, change)
    if plan.experts:
        return
    change = _Change(plan.lora, adapter, turned=plan.turned) if plan.lora else None
    if change is not None and change.magnitude is not None and plan.turned:
        change.measure(stored)
    yield from _blocks(plan, adapter, stored, change)


def _blocks(
    plan: WeightPlan,
    adapter: PeftAdapter,
    stored: torch.Tensor,
    change: _Change | None,
) -> Iterator[memoryview]:
    """The bytes of a changed weight, or of one expert's in it."""
    bias = plan.bias
    replaced = _rows(plan, adapter)
    for start, end in _pieces(stored):
        # A weight that the adapter holds anew is rounded as PEFT does in loading it.
        block = stored[start:end].to(TYPES[plan.dtype])
        block = block.to(torch.promote_types(block.dtype, torch.float32))
        if change is not None:
            block = change.apply(block, start)
        if bias is not None and bias.bias is not None:
            block = block + _numbers(adapter, bias.bias) * bias.scale
        out = block.to(TYPES[plan.dtype])
        here = [row for row in replaced if start <= row < start + len(out)]
        if here:
            out = out.clone()  # it may be the base's own, mapped memory
        for row in here:
            out[row - start] = replaced[row]
        if not torch.isfinite(out).all():
            raise ConvertError(
                f"{plan.name}: the merged weight holds numbers that are not finite "
                f"(NaN, or too large for {plan.dtype}); the base or the adapter is "
                "broken"
            )
        raw: Any = out.contiguous().flatten().view(torch.uint8).numpy()
        yield memoryview(raw)


class _Change:
    """A LoRA in the weight's own layout: left (rows, rank) @ right (rank, columns)."""

    def __init__(self, lora: Lora, adapter: PeftAdapter, *, turned: bool) -> None:
        a, b = (torch.from_numpy(side) for side in adapter.sides(lora))
        self.left, self.right = (a.T, b.T) if turned else (b, a)
        self.scale = lora.scale
        self.turned = turned
        self.magnitude = lora.magnitude and _numbers(adapter, lora.magnitude)
        self.norm: torch.Tensor | None = None

    def delta(self, start: int, rows: int) -> torch.Tensor:
        return (self.left[start : start + rows] @ self.right).mul_(self.scale)

    def measure(self, stored: torch.Tensor) -> None:
        """Norm of each column of the changed weight, for a DoRA on a turned one."""
        squares = torch.zeros(stored.shape[1], dtype=torch.float64)
        for start, end in _pieces(stored):
            block = stored[start:end].to(torch.float32)
            block = block + self.delta(start, len(block))
            squares += block.double().square().sum(0)
        self.norm = squares.sqrt().to(torch.float32)

    def apply(self, block: torch.Tensor, start: int) -> torch.Tensor:
        changed = block + self.delta(start, len(block))
        if self.magnitude is None:
            return changed
        assert isinstance(self.magnitude, torch.Tensor)
        if self.norm is not None:
            return (self.magnitude / self.norm).view(1, -1) * changed
        norm = torch.linalg.norm(changed, dim=1)
        magnitude = self.magnitude[start : start + len(block)]
        return (magnitude / norm).view(-1, 1) * changed


def _pieces(stored: torch.Tensor) -> Iterator[tuple[int, int]]:
    """First row of each block, and the row after its last.

    None has fewer than `ROWS` where the weight has more: a matrix product takes another
    way for a few rows, and then the last bit is not that of the whole product.
    """
    step = max(ROWS, BLOCK // max(1, stored[0].numel()) // ROWS * ROWS)
    starts = [*range(0, max(1, len(stored) - ROWS + 1), step)]
    yield from zip(starts, [*starts[1:], len(stored)], strict=True)


def _stored(plan: WeightPlan) -> torch.Tensor:
    """The source of a weight, still in its file."""
    info = plan.source.tensors[plan.key]
    if not info.bytes:
        return torch.zeros(info.shape, dtype=TYPES[info.dtype])
    flat = torch.frombuffer(plan.source.raw(plan.key), dtype=TYPES[info.dtype])
    return flat.reshape(info.shape)


def _rows(plan: WeightPlan, adapter: PeftAdapter) -> dict[int, torch.Tensor]:
    if not plan.rows:
        return {}
    values = _numbers(adapter, plan.rows_key).to(TYPES[plan.dtype])
    return dict(zip(plan.rows, values, strict=True))


def _numbers(adapter: PeftAdapter, key: str) -> torch.Tensor:
    values: Any = adapter.numbers(key)
    return torch.from_numpy(values)
