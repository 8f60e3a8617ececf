"""Reads the rows of exam files, plain or compressed, within bounds.

A file that is compressed can become a thousand times as large, so what is counted is
what comes out of it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from medassist.core.compressed import BROKEN, Peekable, open_any
from medassist.exams.multiple_choice import ExamError

MOST_BYTES = 1 << 30  # of a file; the largest published one has 190 MB
MOST_WHOLE = 1 << 26  # of a JSON document, which is held; the published one has 3 MB
Row = Mapping[str, Any]


def rows(file: Path) -> Iterator[tuple[int, Row]]:
    """The numbered objects of a JSON lines file; nothing if line 1 is not an object.

    Raises:
        ExamError: it cannot be read, or a later line is no object.
    """
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            row: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == 1:
                return
            raise ExamError(
                f"{file}, line {number} is no JSON: {error}. Is the file whole?"
            ) from None
        if not isinstance(row, dict):
            if number == 1:
                return
            raise ExamError(f"{file}, line {number} is no JSON object.")
        yield number, cast(Row, row)


def whole_object(file: Path) -> Row:
    """The JSON object that a file is.

    Raises:
        ExamError: it cannot be read, or is no object.
    """
    try:
        found: object = json.loads("".join(_lines(file, MOST_WHOLE)))
    except (ValueError, RecursionError) as error:
        raise ExamError(f"{file} is no JSON: {error}. Is the file whole?") from None
    if not isinstance(found, dict):
        raise ExamError(f"{file} is no JSON object by PMID, as PubMedQA's files are.")
    return cast(Row, found)


def records(file: Path) -> Iterator[list[str]]:
    """The records of a CSV file without a head.

    Raises:
        ExamError: it cannot be read, or is no CSV.
    """
    try:
        yield from csv.reader(_lines(file), strict=True)
    except csv.Error as error:
        raise ExamError(f"{file} is no CSV in UTF-8: {error}.") from None


def _lines(file: Path, most: int = 0) -> Iterator[str]:
    """The lines with their ends.

    Raises:
        ExamError: it cannot be read, is not in UTF-8, or has more bytes than `most`,
            which is `MOST_BYTES` unless it is given.
    """
    try:
        with open_any(file) as opened:
            bounded = io.BufferedReader(_Bounded(opened, file, most or MOST_BYTES))
            yield from io.TextIOWrapper(bounded, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError as error:
        raise ExamError(f"{file} is not in UTF-8: {error}.") from None
    except (*BROKEN, OSError) as error:
        raise ExamError(
            f"{file} cannot be read ({error}); if it is cut off or broken, copy it "
            "anew."
        ) from None


class _Bounded(io.RawIOBase):
    def __init__(self, opened: Peekable, file: Path, most: int) -> None:
        self._opened, self._file = opened, file
        self._most, self._left = most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._opened.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise ExamError(
                f"{self._file} has more than {self._most:,} bytes, which no published "
                "exam of its kind has."
            )
        return count
