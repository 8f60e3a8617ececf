"""ACI-Bench: whole visits with their notes; of a note, the plan from the history.

CSV: dataset, encounter_id, dialogue, note. The dialogues are longer than what a small
model can hold, so the question is the note's history, and the answer its assessment
and plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import Licence
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import inputs
from finetune.errors import FinetuneError

SOURCE = "aci-bench"
FILES = ("train.csv", "valid.csv")
COLUMNS = ("encounter_id", "note")
TASK = "Write the assessment and plan for this history:"
_HEADING = re.compile(r"^([A-Z][A-Z &/,]{3,60}):?\s*$", re.MULTILINE)


def note_sections(note: str) -> dict[str, str]:
    """The text of a note by the headings that stand on lines of their own."""
    pieces = _HEADING.split(note)
    return {
        heading.strip(): text
        for heading, text in zip(pieces[1::2], pieces[2::2], strict=True)
    }


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
        spoken_too = ("dialogue",) if self.ask == "note" else ()
        for row in csv_rows(file, (*COLUMNS, *spoken_too), "ACI-Bench"):
            if isinstance(row, Broken):
                yield row
                continue
            note = row.cells["note"].strip()
            if self.ask == "note":
                spoken = row.cells["dialogue"].strip()
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
