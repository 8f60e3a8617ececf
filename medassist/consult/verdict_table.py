"""Verdicts as a CSV table for a study, without any text of questions or answers.

`finetune report --verdicts` reads it. The columns:

- `consultation`: a number within the records; `unsaved-1` for what was never saved;
- `pair`: the names of the two models;
- `side_a`, `side_b`: which of them stood there, `base` or `tuned`;
- `blind`: `yes` if the names were hidden;
- `verdict`: `A`, `B`, `tie` or `both poor`; `winner`: `base`, `tuned` or nothing;
- `reasons`: parted by semicolons;
- `question_sha256`: equal for equal questions;
- `seed`: of the answers; two where they differ;
- `when`: ISO 8601, UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC

from medassist.consult.verdicts import JudgedTurn, standing

COLUMNS = (
    "consultation",
    "pair",
    "side_a",
    "side_b",
    "blind",
    "verdict",
    "winner",
    "reasons",
    "question_sha256",
    "seed",
    "when",
)
_FORMULA = ("=", "+", "-", "@", "\t")


def table(given: Iterable[JudgedTurn]) -> str:
    """The verdicts in force, one a line, in the order given."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in standing(given):
        verdict = one.verdict
        side_b = "tuned" if verdict.side_a == "base" else "base"
        writer.writerow(
            [
                one.consultation,
                _text(one.pair),
                verdict.side_a,
                side_b,
                "yes" if verdict.blind else "no",
                verdict.choice,
                verdict.winner or "",
                ";".join(verdict.reasons),
                one.question_sha256,
                ";".join(str(seed) for seed in dict.fromkeys(one.seeds)),
                verdict.given.astimezone(UTC).isoformat(timespec="milliseconds"),
            ]
        )
    return out.getvalue()


def _text(name: str) -> str:
    """A name out of a model's file; no spreadsheet takes it for a formula."""
    return f"'{name}" if name.startswith(_FORMULA) else name
