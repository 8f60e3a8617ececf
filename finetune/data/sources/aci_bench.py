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
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import QuestionAnswer, whole_sentences
from finetune.data.records import Licence
from finetune.data.sources.contract import Broken, Read, SourceInfo
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import inputs
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


@dataclass(frozen=True)
class AciBench:
    """The visits with their notes, whole.

    Attributes:
        ask: `note`: the note from what was spoken; `plan`: of the note, the assessment
            and plan from the history, which fit into a small model.
    """

    ask: str = "note"

    def __post_init__(self) -> None:
        if self.ask not in ("note", "plan"):
            raise FinetuneError(
                f"{SOURCE}: `ask` is note or plan, not {self.ask}: the whole note of "
                "the dialogue, or the plan of the history"
            )

    def files(self, root: Path) -> list[Path]:
        found = inputs(root, (".csv",), "ACI-Bench")
        # Beside each part lies a table of who the patients are.
        return [file for file in found if not file.stem.endswith("_metadata")]

    def read(self, file: Path) -> Iterator[Read]:
        for row in csv_rows(file, (*COLUMNS, "dialogue"), "ACI-Bench"):
            if isinstance(row, Broken):
                yield row
                continue
            note, spoken = row.cells["note"].strip(), row.cells["dialogue"].strip()
            if self.ask == "note":
                question = f"{WHOLE_TASK}\n\n{spoken}" if spoken else ""
                answer = note
            else:
                sections = note_sections(note)
                history = sections.get("HISTORY OF PRESENT ILLNESS", "").strip()
                question = f"{TASK}\n\n{history}" if history else ""
                plan = sections.get("ASSESSMENT AND PLAN") or sections.get("ASSESSMENT")
                answer = (plan or "").strip()
            key = f"{file.stem} {row.cells['encounter_id'] or row.number}"
            yield dialogue(SOURCE, key, question, answer, LICENCE)


WHOLE_TASK = "Write the note for this visit:"
LICENCE = Licence(name="CC BY 4.0", evidence="the set's README: CC BY 4.0")
INFO = SourceInfo(
    name=SOURCE,
    title="ACI-Bench",
    about="207 whole visits as they were spoken, with their notes; CSV.",
    licence=LICENCE.name,
    terms="",
    kind="dialogue",
    open_source=AciBench,
    options=("ask",),
    fetch="web",
)
