"""Checks that each row of a GGUF's embedding tables is in its place.

The logits see the rows of those tokens and positions that the prompts happen to have:
a few hundred of a hundred thousand. A row that is wrong beyond them would spoil one
word, and nothing else. Of the output layer they see every row, but one that is wrong
moves one logit of a hundred thousand, and that is below the limit of their error. So
all rows are compared, as they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import quants

from convert.gguf.contents import shards_of
from convert.gguf.head import TensorFact, UnknownTensorTypeError, read_head, tensor_rows
from convert.verify.stored_weights import Stored
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check

VALUES = 1 << 22
"""Values that are decoded at a time."""
LEAST = 1e-3
"""Of the mean row: a row that is smaller is held against so much. Untrained rows may
be too small for F16 to hold, and nothing is lost by that."""


@dataclass(frozen=True)
class EmbeddingTable:
    """A table of the model and the tensor of the GGUF that holds it."""

    tensor: str
    weight: Stored
    what: str
    """A row is that of a token or of a position."""
    otherwise: str = ""
    """Tensor that llama.cpp takes where the GGUF has none of this name."""


def compare_embeddings(
    gguf: Path, tables: list[EmbeddingTable], limit: float, watcher: Watcher = unwatched
) -> Check:
    """Compare all rows of `tables` with those in `gguf`.

    A GGUF may have fewer rows: some converters leave out those that only pad. Where it
    has no output layer, llama.cpp takes the embedding for it, and so does this.

    Args:
        gguf: in F32, F16 or BF16; the first file of a split one.
        tables: of the model.
        limit: the NMSE that a row may have.
        watcher: is told the rows that are done.

    Raises:
        ConvertError: a file cannot be read.
    """
    try:
        stored = {
            fact.name: (part, fact)
            for part in shards_of(gguf)
            for fact in read_head(part).tensors
        }
    except UnknownTensorTypeError as error:
        return _check([], 0, 0.0, limit, str(error))
    wrong: list[str] = []
    rows, worst = 0, 0.0
    done: set[tuple[str, Stored]] = set()
    for table in tables:
        name = table.tensor if table.tensor in stored else table.otherwise
        if (name, table.weight) in done:
            continue
        done.add((name, table.weight))
        lacks = "" if name == table.tensor else f"the GGUF lacks {table.tensor}"
        if name not in stored:
            wrong.append(lacks)
            continue
        errors = _errors(*stored[name], table.weight, watcher)
        if errors is None:
            said = f"{name} has other rows than {table.weight.name}"
            wrong.append(f"{lacks}, and {said}" if lacks else said)
            continue
        rows += len(errors)
        worst = max(worst, float(np.nan_to_num(errors, nan=np.inf).max(initial=0)))
        bad = np.flatnonzero(~(errors < limit))
        if len(bad):
            said = f"{len(bad):,} of {len(errors):,} rows"
            wrong.append(
                f"{lacks}, for which llama.cpp takes {name}, and {said} of that are "
                f"not those of {table.weight.name}"
                if lacks
                else f"{said} of {name} are not the model's, that of {table.what} "
                f"{bad[0]} first"
            )
    return _check(wrong, rows, worst, limit, None)


def _check(
    wrong: list[str], rows: int, worst: float, limit: float, unread: str | None
) -> Check:
    said = "; ".join(wrong) or f"{rows:,} rows, worst NMSE {worst:.1e}"
    if unread:
        said = f"not compared: {unread}"
    return Check(
        name="embeddings",
        passed=not wrong and not unread,
        said=said,
        figures={
            "rows": float(rows),
            "NMSE of the worst row": worst,
            "NMSE limit": limit,
        },
    )


def _errors(
    part: Path, fact: TensorFact, weight: Stored, watcher: Watcher
) -> npt.NDArray[np.float64] | None:
    """The NMSE of each row; `None` where the rows are others in length or number."""
    found = tensor_rows(part, fact)
    wanted = weight.tensor()
    if wanted.ndim != 2 or wanted.shape[1] != fact.shape[0]:
        return None
    if len(found) > len(wanted) or not len(found):
        return None
    step = max(1, VALUES // wanted.shape[1])
    squares, sizes = np.empty(len(found)), np.empty(len(found))
    for start in range(0, len(found), step):
        watcher("embeddings", start, len(found))
        some = slice(start, min(start + step, len(found)))
        expected = wanted[some].double().numpy()
        values = quants.dequantize(found[some], fact.kind)
        squares[some] = ((values - expected) ** 2).sum(axis=1)
        sizes[some] = (expected**2).sum(axis=1)
    watcher("embeddings", len(found), len(found))
    floor = LEAST * float(sizes.mean())
    return squares / np.maximum(sizes, floor) if floor else squares
