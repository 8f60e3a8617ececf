"""CheXpert: the labels of chest X-rays, put into sentences of our own.

CSV: Path, Sex, Age, Frontal/Lateral, AP/PA and fourteen labels, which are 1 (there),
0 (said not to be there), -1 (uncertain) or blank (not spoken of). A study of several
images has one set of labels, and becomes one record. The images are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import yaml
from pydantic import TypeAdapter

from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.csv_rows import CsvRow, csv_rows
from finetune.data.sources.data_source import Broken, Read, SourceInfo
from finetune.data.sources.inputs import inputs
from medassist.frozen_model import FrozenModel

NAME = "chexpert"
WHAT = "CheXpert"
SENTENCES = Path(__file__).with_suffix(".yaml")
LICENCE = Licence(
    name="Stanford University Dataset Research Use Agreement",
    evidence="the agreement that is signed before the download",
)
_VALUES = {1.0: "present", 0.0: "absent", -1.0: "uncertain"}


class Wording(FrozenModel):
    """Sentences for a label, by its value."""

    present: str
    absent: str
    uncertain: str


@cache
def wordings() -> dict[str, Wording]:
    """The sentences by the names of the labels, in the set's order."""
    return TypeAdapter(dict[str, Wording]).validate_python(
        yaml.safe_load(SENTENCES.read_text("utf-8"))
    )


@dataclass(frozen=True)
class CheXpert:
    """The findings of each study as text; a patient's studies stay together."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".csv",), WHAT)

    def read(self, file: Path) -> Iterator[Read]:
        required = ("Path", "Sex", "Age", *wordings())
        last = ""
        for row in csv_rows(file, required, WHAT):
            if isinstance(row, Broken):
                yield row
                continue
            path = PurePosixPath(row.cells["Path"].replace("\\", "/"))
            study = "/".join(path.parts[-3:-1]) or f"row {row.number}"
            if study == last:
                continue  # another view of the same study
            last = study
            yield _record(row, study, file)


def _record(row: CsvRow, study: str, file: Path) -> TextRecord | Broken:
    found: dict[str, str] = {}
    for label in wordings():
        cell = row.cells[label].strip()
        if not cell:
            continue
        try:
            found[label] = _VALUES[float(cell)]
        except (ValueError, KeyError):
            reason = f"{label} is {cell[:20]!r}; expected 1, 0, -1 or nothing"
            return Broken(study, str(file), reason)
    every = {
        "sex": row.cells["Sex"].strip(),
        "age": row.cells["Age"].strip().removesuffix(".0"),
        "uncertain": ", ".join(k for k, v in found.items() if v == "uncertain"),
    }
    return TextRecord(
        id=study,
        source=NAME,
        group=study.partition("/")[0],
        licence=LICENCE,
        meta={name: value for name, value in every.items() if value},
        text=findings(found),
    )


def findings(found: Mapping[str, str]) -> str:
    """The findings as sentences: what is there, what may be, what is not.

    Args:
        found: `present`, `absent` or `uncertain` by label; labels that are not spoken
            of are not in it, and nothing is said of them.
    """
    words = wordings()
    sentences = [
        getattr(words[label], value)
        for value in ("present", "uncertain", "absent")
        for label in words
        if found.get(label) == value
    ]
    return f"Chest X-ray. {' '.join(sentences)}" if sentences else ""


INFO = SourceInfo(
    name=NAME,
    title=WHAT,
    about="The labels of 224,316 chest X-rays of 65,240 patients, put into sentences; "
    "train.csv and valid.csv. The images are not used.",
    licence=LICENCE.name,
    terms="For research alone, after signing Stanford's agreement; it is read from "
    "your own copy only, and left out unless you allow that licence by its name.",
    kind="text",
    open_source=CheXpert,
    text_shortest=1,  # a sentence for each finding: 30 to 300 characters
)
