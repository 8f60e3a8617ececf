"""Rows of CSV files, checked against the columns that are expected."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from finetune.data.sources.data_source import LONGEST_RECORD, Broken
from finetune.data.sources.nearest import did_you_mean
from finetune.data.sources.text_lines import TextLine, lines
from finetune.errors import FinetuneError

DELIMITERS = ",;\t|"
SAMPLE = 2000  # lines by which it is told how quotes are written
_NAMES_IT = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*)\\"')
# The library's own limit is 131,072 characters, less than a long note has.
csv.field_size_limit(4 * LONGEST_RECORD)


@dataclass(frozen=True)
class CsvRow:
    """A row by its columns; a missing value is an empty string."""

    number: int
    """Number of the row, from 1; the heading does not count."""
    cells: dict[str, str]
    columns: tuple[str, ...]
    """All names of the heading, in its order; one can stand there twice."""


def csv_rows(
    file: Path, required: Sequence[str], what: str, encoding: str = ""
) -> Iterator[CsvRow | Broken]:
    """The rows of `file`, one at a time.

    Args:
        file: with a heading; commas, or what its first line has instead of them, or
            names as Excel's `sep=;` does. Quotes within quotes are doubled, or have a
            backslash before them.
        required: columns that must be there; further ones come along.
        what: the data set, for errors.
        encoding: see `text_lines.lines`.

    Raises:
        FinetuneError: it cannot be read, is empty, lacks a required column, or has two
            of its name.
    """
    problems: list[TextLine] = []
    texts = _texts(lines(file, encoding), problems)
    first = next((text for text in texts if text.strip() or problems), None)
    if problems:
        raise FinetuneError(f"{file}: the heading {problems[0].problem}")
    if first is None:
        raise FinetuneError(f"{file} is empty; {what} is expected in it")
    delimiter = max(DELIMITERS, key=first.count)
    if named := _NAMES_IT.fullmatch(first):
        delimiter, first = named[1], next(texts, "")
    if _has_backslashes(file, encoding, delimiter):
        texts = (_doubled(text) for text in texts)
        first = _doubled(first)
    reader = csv.reader(chain([first], texts), delimiter=delimiter)
    try:
        heading = tuple(name.strip() for name in next(reader))
    except csv.Error as error:
        raise FinetuneError(
            f"{file}: its heading, the first line, is broken as CSV ({error}); {what} "
            "is expected under names of columns"
        ) from error
    check_columns(file, heading, required, what)
    tight = delimiter + " " not in first
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
            cells = _unquoted(cells, delimiter) if tight else cells
        if len(cells) > len(heading):
            yield Broken(
                f"row {number}",
                str(file),
                f"has {len(cells)} cells for {len(heading)} columns",
            )
            continue
        cells += [""] * (len(heading) - len(cells))
        yield CsvRow(number, dict(zip(heading, cells, strict=True)), heading)


def check_columns(
    file: Path, found: Sequence[str], required: Sequence[str], what: str
) -> None:
    """Hold the columns that are there against those that must be.

    Raises:
        FinetuneError: one is missing (the nearest that is there is named), or is there
            twice.
    """
    for name in required:
        if name not in found:
            raise FinetuneError(
                f"{file} has no column {name}, which {what} needs"
                f"{did_you_mean(name, found)} (it has {listed(found)})"
            )
        refuse_twice(file, [each for each in found if each == name])


def refuse_twice(file: Path, alike: Sequence[str]) -> None:
    """See to it that a column that is used is the only one of its name.

    Raises:
        FinetuneError: `alike` are several.
    """
    if len(alike) > 1:
        raise FinetuneError(
            f"{file} has {len(alike)} columns of the name {alike[0]}, and it cannot be "
            "known which is meant; rename or delete the others"
        )


def listed(columns: Sequence[str]) -> str:
    """The columns for the end of a sentence, the first thirty of them."""
    names = [name if len(name) <= 60 else f"{name[:57]}..." for name in columns[:30]]
    more = len(columns) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _has_backslashes(file: Path, encoding: str, delimiter: str) -> bool:
    """Whether quotes within quotes have a backslash, as MySQL and Spark write them.

    They have it if more rows of the beginning are whole then.
    """
    sample = [line.text + "\n" for line in islice(lines(file, encoding), SAMPLE)]
    if not any('\\"' in text for text in sample):
        return False
    plain = _whole_rows(sample, delimiter)
    return _whole_rows(map(_doubled, sample), delimiter) > plain


def _unquoted(cells: Sequence[str], delimiter: str) -> list[str]:
    """The cells of a row whose writer quotes nothing.

    Behind a comma within a text is a blank; behind one between two cells is none, as
    in the heading.
    """
    joined: list[str] = []
    for cell in cells:
        if joined and cell.startswith(" "):
            joined[-1] += delimiter + cell
        else:
            joined.append(cell)
    return joined


def _whole_rows(texts: Iterable[str], delimiter: str) -> int:
    """Counts the rows with exactly the heading's cells, each quoted by the rules."""
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    width = count = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            continue
        if cells is None:
            return count
        width = max(width, len(cells)) if not count else width
        count += len(cells) == width


def _doubled(text: str) -> str:
    return _ESCAPED_QUOTE.sub(r'\1""', text)


def _texts(every: Iterator[TextLine], problems: list[TextLine]) -> Iterator[str]:
    """The texts of lines, with their ends; lines with problems are put aside."""
    for line in every:
        if line.problem:
            problems.append(line)
            yield "\n"
        else:
            yield line.text + "\n"
