"""ACI-Bench: whole visits with their notes; of a note, the plan from the history.

CSV: dataset, encounter_id, dialogue, note. The dialogues are longer than what a small
model can hold, so the question is the note's history, and the answer its assessment
and plan.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from finetune.data.documents import QuestionAnswer, whole_sentences
from finetune.errors import FinetuneError

SOURCE = "aci-bench"
FILES = ("train.csv", "valid.csv")
COLUMNS = ("encounter_id", "note")
TASK = "Write the assessment and plan for this history:"
LONGEST_HISTORY, LONGEST_PLAN = 2000, 1200  # characters, whole sentences
_HEADING = re.compile(r"^([A-Z][A-Z &/,]{3,60}):?\s*$", re.MULTILINE)
_BLANKS = re.compile(r"\s+")


def read_aci_bench(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The notes in `folder`: the history as the question, the plan as the answer.

    Raises:
        FinetuneError: a file is missing or is not ACI-Bench.
    """
    for name in FILES:
        file = folder / name
        try:
            with file.open(encoding="utf-8-sig", newline="") as opened:
                rows = csv.DictReader(opened)
                if missing := set(COLUMNS) - set(rows.fieldnames or ()):
                    raise FinetuneError(
                        f"{file} has no column {', '.join(sorted(missing))}; ACI-Bench "
                        "has dataset, encounter_id, dialogue, note"
                    )
                for row in rows:
                    sections = note_sections(row["note"] or "")
                    history = _cut(
                        sections.get("HISTORY OF PRESENT ILLNESS", ""), LONGEST_HISTORY
                    )
                    plan = _cut(
                        sections.get("ASSESSMENT AND PLAN")
                        or sections.get("ASSESSMENT", ""),
                        LONGEST_PLAN,
                    )
                    if not history or not plan:
                        dropped["a note without a history or a plan"] += 1
                        continue
                    yield QuestionAnswer(
                        source=SOURCE,
                        focus=f"{file.stem} {row['encounter_id']}",
                        kind="note",
                        question=f"{TASK}\n\n{history}",
                        answer=plan,
                    )
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FinetuneError(f"{file} cannot be read as CSV: {error}") from error


def note_sections(note: str) -> dict[str, str]:
    """The text of a note by the headings that stand on lines of their own."""
    pieces = _HEADING.split(note)
    return {
        heading.strip(): text
        for heading, text in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def _cut(text: str, longest: int) -> str:
    return whole_sentences(_BLANKS.sub(" ", text).strip(), longest)
