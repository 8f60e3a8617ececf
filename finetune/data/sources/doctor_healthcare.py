"""Doctor-HealthCare-100k: what patients wrote to doctors, and what these answered.

CSV: input, output; a sibling has instruction, input, output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import Licence
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.missing_words import is_missing

NAME = "doctor-healthcare-100k"
WHAT = "Doctor-HealthCare-100k"
LICENCE = Licence(
    name="unknown", evidence="questions and answers of a web site; no licence is given"
)


@dataclass(frozen=True)
class DoctorHealthCare:
    """The letters with their answers.

    Attributes:
        instruction: put the instruction, where there is one, before the conversation.
    """

    instruction: bool = True

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".csv"), WHAT)

    def read(self, file: Path) -> Iterator[Read]:
        for row in csv_rows(file, ("input", "output"), WHAT):
            if isinstance(row, Broken):
                yield row
                continue
            cells = {
                name: "" if is_missing(cell) else cell.strip()
                for name, cell in row.cells.items()
            }
            yield dialogue(
                NAME,
                f"{file.name}:{row.number}",
                cells["input"],
                cells["output"],
                LICENCE,
                system=cells.get("instruction", "") if self.instruction else "",
            )


INFO = SourceInfo(
    name=NAME,
    title=WHAT,
    about="100,000 letters of patients with doctors' answers; CSV: input, output.",
    licence=LICENCE.name,
    terms="Taken from a web site without a licence: for your own study alone, and left "
    "out unless you allow `unknown`.",
    kind="dialogue",
    open_source=DoctorHealthCare,
    options=("instruction",),
    fetch="kaggle",
)
