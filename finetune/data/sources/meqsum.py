"""MeQSum: letters of patients, and the question in each of them in one line.

An Excel sheet with the columns File, CHQ (the letter) and Summary.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from finetune.data.documents import QuestionAnswer
from finetune.errors import FinetuneError

SOURCE = "meqsum"
FILES = ("MeQSum_ACL2019_BenAbacha_Demner-Fushman.xlsx",)
COLUMNS = ("File", "CHQ", "Summary")
TASK = "Put this letter into one question:"
_HEADINGS = re.compile(r"\b(?:SUBJECT|MESSAGE):\s*")
_BLANKS = re.compile(r"\s+")


def read_meqsum(folder: Path, dropped: Counter[str]) -> Iterator[QuestionAnswer]:
    """The letters in `folder`, each with the question that it asks.

    Raises:
        FinetuneError: the file is missing or is not MeQSum.
    """
    file = folder / FILES[0]
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
    for name, letter, summary in rows:
        if not letter or not summary:
            dropped["without a letter or a question"] += 1
            continue
        text = _one_line(_HEADINGS.sub("", str(letter)))
        yield QuestionAnswer(
            source=SOURCE,
            focus=str(name),
            kind="summary",
            question=f"{TASK}\n\n{text}",
            answer=_one_line(str(summary)),
        )


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
