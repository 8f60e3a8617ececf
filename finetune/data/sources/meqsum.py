"""MeQSum: letters of patients, and the question in each of them in one line.

An Excel sheet with the columns File, CHQ (the letter) and Summary.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.prepared_records import Licence
from finetune.data.sources.data_source import Read, SourceInfo
from finetune.data.sources.dialogue import dialogue
from finetune.data.sources.inputs import inputs
from finetune.errors import FinetuneError

SOURCE = "meqsum"
FILES = ("MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx",)
COLUMNS = ("File", "CHQ", "Summary")
TASK = "Put this letter into one question:"
_BLANKS = re.compile(r"\s+")


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


def _rows(file: Path) -> Iterator[tuple[object, ...]]:
    """Name, letter and summary of each row.

    Raises:
        FinetuneError: the file is missing or is not MeQSum.
    """
    from openpyxl import load_workbook  # not for a list of the data sets
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        sheet = load_workbook(file, read_only=True, data_only=True).worksheets[0]
    except (OSError, InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise FinetuneError(
            f"{file} cannot be read as an Excel sheet ({error}); MeQSum is expected"
        ) from error
    rows = sheet.iter_rows(max_col=len(COLUMNS), values_only=True)
    if (found := next(rows, ())) != COLUMNS:
        raise FinetuneError(
            f"{file} has the columns {found}; MeQSum has {', '.join(COLUMNS)}"
        )
    yield from rows


@dataclass(frozen=True)
class MeQSum:
    """The letters, each with the question that it asks."""

    def files(self, root: Path) -> list[Path]:
        return inputs(root, (".xlsx",), "MeQSum")

    def read(self, file: Path) -> Iterator[Read]:
        for number, (name, letter, summary) in enumerate(_rows(file), start=1):
            if name is None and letter is None and summary is None:
                continue  # sheets end in rows without anything
            text = str(letter or "").strip()
            yield dialogue(
                SOURCE,
                f"row {number}",
                f"{TASK}\n\n{text}" if text else "",
                _one_line(str(summary or "")),
                LICENCE,
                group=str(name or f"row {number}"),
            )


LICENCE = Licence(name="CC BY 4.0", evidence="the set's README: CC BY 4.0")
INFO = SourceInfo(
    name=SOURCE,
    title="MeQSum",
    about="1,000 letters of patients, and the question in each of them in one line; an "
    "Excel sheet.",
    licence=LICENCE.name,
    terms="",
    kind="dialogue",
    open_source=MeQSum,
    fetch="web",
)
