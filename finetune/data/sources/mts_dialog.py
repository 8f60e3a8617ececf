"""MTS-Dialog: a part of a visit as it was spoken, and as it stands in the note.

CSV: ID, section_header, section_text, dialogue.
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

SOURCE = "mts-dialog"
FILES = ("MTS-Dialog-TrainingSet.csv", "MTS-Dialog-ValidationSet.csv")
COLUMNS = ("ID", "section_header", "section_text", "dialogue")
TASK = "Write the {part} of the note for this conversation:"
PARTS = {
    "FAM/SOCHX": "family and social history",
    "GENHX": "history of the illness",
    "PASTMEDICALHX": "past medical history",
    "CC": "chief complaint",
    "PASTSURGICAL": "surgical history",
    "ALLERGY": "allergies",
    "ROS": "review of systems",
    "MEDICATIONS": "medications",
    "ASSESSMENT": "assessment",
    "EXAM": "examination",
    "DIAGNOSIS": "diagnosis",
    "DISPOSITION": "disposition",
    "PLAN": "plan",
    "EDCOURSE": "course in the emergency department",
    "IMMUNIZATIONS": "immunizations",
    "IMAGING": "imaging",
    "GYNHX": "gynecologic history",
    "PROCEDURES": "procedures",
    "OTHER_HISTORY": "other history",
    "LABS": "laboratory results",
}
_BLANKS = re.compile(r"[ \t\r]+")


def _tidy(text: str) -> str:
    lines = (_BLANKS.sub(" ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


@dataclass(frozen=True)
class MtsDialog:
    """The dialogues, each with the section that was written of it."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".csv",), "MTS-Dialog")

    def read(self, file: Path) -> Iterator[Read]:
        for row in csv_rows(file, COLUMNS, "MTS-Dialog"):
            if isinstance(row, Broken):
                yield row
                continue
            header = row.cells["section_header"].strip()
            part = PARTS.get(header.upper(), header.lower())
            spoken = _tidy(row.cells["dialogue"])
            key = f"{file.stem} {row.cells['ID'] or row.number}"
            yield dialogue(
                SOURCE,
                key,
                f"{TASK.format(part=part)}\n\n{spoken}" if spoken and part else "",
                _tidy(row.cells["section_text"]),
                LICENCE,
                meta={"section": part},
            )


LICENCE = Licence(name="CC BY 4.0", evidence="the set's README: CC BY 4.0")
INFO = SourceInfo(
    name=SOURCE,
    title="MTS-Dialog",
    about="1,701 parts of visits as they were spoken, and as they stand in the "
    "note; CSV.",
    licence=LICENCE.name,
    terms="",
    kind="dialogue",
    open_source=MtsDialog,
    fetch="web",
)
