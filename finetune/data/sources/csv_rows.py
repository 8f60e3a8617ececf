"""Rows of CSV files, checked against the columns that are expected."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.data.sources.contract import LONGEST_RECORD, Broken
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.text_lines import Line, lines
from finetune.errors import FinetuneError

DELIMITERS = ",;\t|"
# The library's own limit is 131,072 characters, less than a long note has.
csv.field_size_limit(4 * LONGEST_RECORD)


@dataclass(frozen=True)
class Row:
    """A row by its columns; a missing value is an empty string."""

    number: int
    """Of the row, from 1; the heading does not count."""
    cells: dict[str, str]


def csv_rows(
    file: Path, required: Sequence[str], what: str, encoding: str = ""
) -> Iterator[Row | Broken]:
    """The rows of `file`, one at a time.

    Args:
        file: with a heading; commas, or what its first line has instead of them.
        required: columns that must be there; further ones come along.
        what: the data set, for errors.
        encoding: see `text_lines.lines`.

    Raises:
        FinetuneError: it cannot be read, is empty, or lacks a column.
    """
    problems: list[Line] = []
    texts = _texts(lines(file, encoding), problems)
    heading_line = next(texts, None)
    if problems:
        raise FinetuneError(f"{file}: the heading {problems[0].problem}")
    if heading_line is None:
        raise FinetuneError(f"{file} is empty; {what} is expected in it")
    delimiter = max(DELIMITERS, key=heading_line.count)
    heading = [
        name.strip() for name in next(csv.reader([heading_line], delimiter=delimiter))
    ]
    check_columns(file, heading, required, what)
    reader = csv.reader(texts, delimiter=delimiter)
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            number += 1
            yield Broken(f"row {number}", str(file), f"is broken as CSV: {error}")
            continue
        if problems:
            number += 1
            yield Broken(
                f"row {number}",
                str(file),
                f"line {problems[0].number} {problems[0].problem}",
            )
            problems.clear()
            continue
        if cells is None:
            return
        if not any(cells):
            continue
        number += 1
        if len(cells) > len(heading):
            yield Broken(
                f"row {number}",
                str(file),
                f"has {len(cells)} cells for {len(heading)} columns",
            )
            continue
        cells += [""] * (len(heading) - len(cells))
        yield Row(number, dict(zip(heading, cells, strict=True)))


def check_columns(
    file: Path, found: Sequence[str], required: Sequence[str], what: str
) -> None:
    """Hold the columns that are there against those that must be.

    Raises:
        FinetuneError: one is missing; the nearest that is there is named.
    """
    for name in required:
        if name not in found:
            has = ", ".join(found) if len(found) <= 30 else f"{len(found)} others"
            raise FinetuneError(
                f"{file} has no column {name}, which {what} needs"
                f"{did_you_mean(name, found)} (it has {has})"
            )


def _texts(every: Iterator[Line], problems: list[Line]) -> Iterator[str]:
    """The texts of lines, with their ends; lines with problems are put aside."""
    for line in every:
        if line.problem:
            problems.append(line)
            yield "\n"
        else:
            yield line.text + "\n"
