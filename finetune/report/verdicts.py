"""Reads clinicians' verdicts from an export.

The export is a CSV with a header line and these columns:

- `consultation`: an id; verdicts of one consultation come from one reader;
- `pair`: the name of the pair of models that was consulted;
- `side_a`, `side_b`: the model that was shown on that side, `base` or `tuned`;
- `verdict`: `A`, `B`, `tie` or `both poor`;
- `reasons`: why, in the reader's words or as tags parted by semicolons; may be empty;
- `when`: a date, or date and time, in ISO 8601.

Further columns are not read.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from finetune.errors import FinetuneError
from medassist.core.files import read_bytes
from medassist.core.words import size

COLUMNS = ("consultation", "pair", "side_a", "side_b", "verdict", "reasons", "when")
MOST_BYTES = 64 * 2**20
Outcome = Literal["tuned", "base", "tie", "both poor"]
OUTCOMES: tuple[Outcome, ...] = ("tuned", "base", "tie", "both poor")


@dataclass(frozen=True)
class ExportedVerdict:
    """One verdict, with sides resolved to models."""

    consultation: str
    pair: str
    outcome: Outcome
    tuned_on_a: bool
    reasons: tuple[str, ...]
    when: datetime


@dataclass(frozen=True)
class ExportedVerdicts:
    """All verdicts on one pair in an export.

    Attributes:
        pair: its name in the export.
        verdicts: in the order of the file.
        others: rows about other pairs, which were left out.
    """

    pair: str
    verdicts: tuple[ExportedVerdict, ...]
    others: int

    def count(self, outcome: Outcome) -> int:
        """Counts the verdicts of this kind."""
        return sum(verdict.outcome == outcome for verdict in self.verdicts)

    @property
    def consultations(self) -> int:
        """Number of consultations that the verdicts come from."""
        return len({verdict.consultation for verdict in self.verdicts})

    def reasons(self, outcome: Outcome) -> list[tuple[str, int]]:
        """The reasons given where it came out so, the most frequent first."""
        found = Counter(
            reason
            for verdict in self.verdicts
            if verdict.outcome == outcome
            for reason in verdict.reasons
        )
        return sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))


def read_verdicts(file: Path, pair: str) -> ExportedVerdicts:
    """The verdicts of the export `file` on the pair named `pair`.

    An export with one pair alone is taken whatever its name is; of several, the one
    named `pair`.

    Raises:
        FinetuneError: it cannot be read, a column or value is not as described, or
            it holds several pairs and none of that name.
    """
    found = list(_rows(file, _text(file)))
    pairs = sorted({verdict.pair for verdict in found})
    if not found:
        raise FinetuneError(
            f"{file} has no verdict in it; export some, or leave it out"
        )
    if len(pairs) > 1 and pair not in pairs:
        raise FinetuneError(
            f"{file} holds verdicts on {len(pairs)} pairs ({', '.join(pairs[:5])}), "
            f"none of them on {pair}; export that pair's"
        )
    chosen = pair if pair in pairs else pairs[0]
    kept = tuple(verdict for verdict in found if verdict.pair == chosen)
    return ExportedVerdicts(chosen, kept, len(found) - len(kept))


def _text(file: Path) -> str:
    try:
        there = file.stat().st_size
        if there > MOST_BYTES:
            raise FinetuneError(
                f"{file} has {size(there)}; an export of verdicts has at most "
                f"{size(MOST_BYTES)}. Is it another file?"
            )
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FinetuneError(
            f"{file} is not text in UTF-8 (byte {error.start}); save it as CSV, UTF-8"
        ) from None
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error


def _rows(file: Path, text: str) -> Iterator[ExportedVerdict]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise FinetuneError(
                f"{file} lacks the column {missing[0]!r}; an export of verdicts has "
                f"the columns {', '.join(COLUMNS)}"
            )
        for row in reader:
            cells = {name: (row[name] or "").strip() for name in COLUMNS}
            if any(cells.values()):
                yield _verdict(f"{file}, line {reader.line_num}", cells)
    except csv.Error as error:
        raise FinetuneError(
            f"{file}, line {reader.line_num}: this is no CSV: {error}"
        ) from None


def _verdict(where: str, row: dict[str, str]) -> ExportedVerdict:
    sides = {"A": row["side_a"].lower(), "B": row["side_b"].lower()}
    if sorted(sides.values()) != ["base", "tuned"]:
        raise FinetuneError(
            f"{where}: side_a and side_b are {row['side_a']!r} and {row['side_b']!r}; "
            "one has to be base and the other tuned"
        )
    said = row["verdict"]
    if said.upper() in sides:
        outcome: Outcome = "tuned" if sides[said.upper()] == "tuned" else "base"
    elif said.lower() == "tie":
        outcome = "tie"
    elif said.lower() == "both poor":
        outcome = "both poor"
    else:
        raise FinetuneError(
            f"{where}: the verdict is {said!r}; it has to be A, B, tie or both poor"
        )
    try:
        when = datetime.fromisoformat(row["when"])
    except ValueError:
        raise FinetuneError(
            f"{where}: {row['when']!r} is no date of the form 2026-11-21 or "
            "2026-11-21T14:05:00"
        ) from None
    reasons = (reason.strip() for reason in row["reasons"].split(";"))
    return ExportedVerdict(
        consultation=row["consultation"],
        pair=row["pair"],
        outcome=outcome,
        tuned_on_a=sides["A"] == "tuned",
        reasons=tuple(reason for reason in reasons if reason),
        when=when,
    )
