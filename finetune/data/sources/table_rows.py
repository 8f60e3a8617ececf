"""The rows of a table in whatever format it comes, with the names of their columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from finetune.data.sources.arrow_rows import arrow_rows
from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.data_source import Broken
from finetune.data.sources.json_items import Keys, json_rows
from finetune.data.sources.row import TableRow, WantedColumns
from finetune.data.sources.sheet_rows import sheet_rows
from finetune.data.sources.text_lines import lines

WHAT = "a table"
SAMPLE = 100  # lines by which JSON lines are told from JSON
_DECODER = json.JSONDecoder(object_pairs_hook=Keys)


def table_rows(
    file: Path, encoding: str, asked: WantedColumns
) -> Iterator[TableRow | Broken]:
    """The rows of JSON lines, JSON, CSV, Excel, Arrow or Parquet, by the file's name.

    Args:
        file: as its name ends.
        encoding: of CSV and JSON lines; see `text_lines.lines`.
        asked: what is wanted of the columns that are there.

    Raises:
        FinetuneError: the file cannot be read, or is not what its name says.
    """
    name = file.name.lower()
    if name.endswith((".parquet", ".arrow", ".feather")):
        yield from arrow_rows(file, asked)
    elif name.endswith((".xlsx", ".xlsm")):
        yield from sheet_rows(file, asked)
    elif ".json" in name or ".ndjson" in name:
        if _are_lines(file, encoding):
            yield from _json_lines(file, encoding)
        else:
            yield from _json(file, asked)
    else:
        for row in csv_rows(file, (), WHAT, encoding):
            if isinstance(row, Broken):
                yield row
            else:
                yield TableRow(str(row.number), dict(row.cells), row.columns)


def _json(file: Path, asked: WantedColumns) -> Iterator[TableRow | Broken]:
    for key, row in json_rows(file, WHAT, asked.kind):
        yield _of_object(key, f"item {key}", row, file)


def _json_lines(file: Path, encoding: str) -> Iterator[TableRow | Broken]:
    for line in lines(file, encoding):
        place = f"line {line.number}"
        if line.problem:
            yield Broken(place, str(file), line.problem)
        elif line.text.strip():
            yield _of_object(str(line.number), place, _decoded(line.text), file)


def _of_object(key: str, place: str, row: Any, file: Path) -> TableRow | Broken:
    if isinstance(row, Keys) and row.twice:
        return Broken(place, str(file), "has a key twice; which is meant is not known")
    if not isinstance(row, dict):
        return Broken(place, str(file), "is no JSON object")
    return TableRow(key, row, tuple(row))


def _are_lines(file: Path, encoding: str) -> bool:
    """Whether each line is an object of its own, whatever the name says.

    In JSON over several lines few are: of a list the last may be one, and what is
    printed prettily is indented.
    """
    texts = (line.text for line in lines(file, encoding) if line.text.strip())
    sample = list(islice(texts, SAMPLE))
    if len(sample) < 2 or sample[0].startswith("["):
        return False
    begin = [text for text in sample if text.startswith("{")]
    whole = sum(isinstance(_decoded(text), dict) for text in begin)
    return 2 * whole > len(begin)


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
