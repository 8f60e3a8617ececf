"""Rows of Excel's sheets, each of which has its own heading."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from finetune.data.sources.csv_rows import listed
from finetune.data.sources.data_source import Broken
from finetune.data.sources.row import TableRow, WantedColumns
from finetune.errors import FinetuneError

LARGEST_BOOK = 2**31  # bytes of all that a workbook holds, unpacked
MOST_PACKED = 200  # times that it may be larger unpacked than packed
HEADING_WITHIN = 10  # rows with something in them, of which one is the heading


@dataclass(frozen=True)
class _Sheet:
    title: str
    columns: tuple[str, ...]
    heading: int
    """The row that has the columns' names, from 1."""
    talks: tuple[str, ...] = field(default=())


def sheet_rows(file: Path, asked: WantedColumns) -> Iterator[TableRow | Broken]:
    """The rows of all sheets whose columns make records; of each other sheet a word.

    Args:
        file: a workbook, .xlsx or .xlsm.
        asked: of the columns of each sheet.

    Raises:
        FinetuneError: it is no workbook, or unpacked larger than one is; where no sheet
            makes records, what `asked.choose` raises for the first.
    """
    with closing(open_book(file)) as book:
        sheets = [_sheet(each, asked) for each in book.worksheets]
        found = [each for each in sheets if each is not None]
        known = [each for each in found if asked.kind(each.columns, ()) is not None]
        if not known and found:
            asked.choose(found[0].columns, ())
        for sheet in found:
            if sheet not in known:
                reason = f"its columns make no records: {listed(sheet.columns)}"
                yield Broken(f"sheet {sheet.title}", str(file), reason)
                continue
            alone = len(known) == 1
            rows = book[sheet.title].iter_rows(
                min_row=sheet.heading + 1, values_only=True
            )
            for number, cells in enumerate(rows, start=1):
                if all(cell is None for cell in cells):
                    continue  # sheets end in rows without anything
                key = f"{number}" if alone else f"{sheet.title}:{number}"
                yield TableRow(key, _cells(sheet.columns, cells), sheet.columns)


def first_row(file: Path) -> str:
    """Reads the first row of a workbook's first sheet.

    Raises:
        FinetuneError: it is no workbook.
    """
    with closing(open_book(file)) as book:
        rows = book.worksheets[0].iter_rows(max_row=1, values_only=True)
        return "\t".join(str(cell) for cell in next(iter(rows), ()))


def open_book(file: Path) -> Any:
    """A workbook, to be read row by row.

    Raises:
        FinetuneError: it cannot be read as one, or is larger than one may be.
    """
    from openpyxl import load_workbook  # not for a list of the data sets
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(file) as packed:
            # What is read of a member is bounded by the size that is told here.
            size = sum(member.file_size for member in packed.infolist())
        if size > LARGEST_BOOK or size > MOST_PACKED * file.stat().st_size:
            raise FinetuneError(
                f"{file} would be {size:,} bytes unpacked, more than {MOST_PACKED} "
                f"times its size or than {LARGEST_BOOK:,}; save it as CSV"
            )
        book = load_workbook(file, read_only=True, data_only=True)
    except (OSError, InvalidFileException, zipfile.BadZipFile, KeyError) as error:
        raise FinetuneError(
            f"{file} cannot be read as an Excel workbook ({error}); save it anew as "
            ".xlsx, or as CSV"
        ) from error
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some programs write wrong ones
    return book


def _sheet(sheet: Any, asked: WantedColumns) -> _Sheet | None:
    """The sheet with its heading, above which a title may stand.

    It is the first row that names a record's columns, else the first one.
    """
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    filled = ((n, cells) for n, cells in rows if any(c is not None for c in cells))
    first: _Sheet | None = None
    for number, cells in islice(filled, HEADING_WITHIN):
        found = _Sheet(sheet.title, _names(cells), number)
        if asked.kind(found.columns, ()) is not None:
            return found
        first = first or found
    return first


def _names(cells: Sequence[Any]) -> tuple[str, ...]:
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _cells(columns: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    filled = [*cells, *[None] * (len(columns) - len(cells))]
    return dict(zip(columns, filled, strict=False))
