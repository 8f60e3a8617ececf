"""The rows of a table in whatever format it comes, with the names of their columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.sources.csv_rows import csv_rows
from finetune.data.sources.json_items import Keys, json_items
from finetune.data.sources.source import Broken
from finetune.data.sources.text_lines import lines
from finetune.errors import FinetuneError

WHAT = "a table"
BATCH = 512  # rows of a Parquet file that are held at a time
_DECODER = json.JSONDecoder(object_pairs_hook=Keys)
Choose = Callable[[tuple[str, ...]], Sequence[str]]
"""Says which of the columns that are there are read."""


@dataclass(frozen=True)
class TableRow:
    """A row.

    Attributes:
        key: its number or its key within the file.
        cells: by their columns; of a Parquet file only those that were chosen.
        columns: the names of all its columns, in their order; a name can stand twice.
    """

    key: str
    cells: dict[str, Any]
    columns: tuple[str, ...]


def table_rows(
    file: Path, encoding: str, choose: Choose
) -> Iterator[TableRow | Broken]:
    """The rows of JSON lines, JSON, CSV or Parquet, by the file's name.

    Args:
        file: as its name ends.
        encoding: of CSV and JSON lines; see `text_lines.lines`.
        choose: asked once for a Parquet file, whose other columns are not read.

    Raises:
        FinetuneError: the file cannot be read, or is not what its name says.
    """
    name = file.name.lower()
    if name.endswith(".parquet"):
        yield from _parquet(file, choose)
    elif ".jsonl" in name or ".ndjson" in name:
        yield from _json_lines(file, encoding)
    elif ".json" in name:
        yield from _json_lines(file, encoding) if _are_lines(file) else _json(file)
    else:
        for row in csv_rows(file, (), WHAT, encoding):
            if isinstance(row, Broken):
                yield row
            else:
                yield TableRow(str(row.number), dict(row.cells), row.columns)


def _json(file: Path) -> Iterator[TableRow | Broken]:
    for key, row in json_items(file, WHAT, watch_keys=True):
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


def _are_lines(file: Path) -> bool:
    """Whether what is called JSON is JSON lines, as MedMCQA's files are."""
    found: list[str] = []
    for line in lines(file):
        if line.text.strip():
            found.append(line.text)
        if len(found) == 2:
            break
    rows = [_decoded(text) for text in found]
    if len(rows) == 1 and isinstance(rows[0], dict):
        # One object: a row, or rows under their keys.
        return not any(isinstance(value, (dict, list)) for value in rows[0].values())
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _parquet(file: Path, choose: Choose) -> Iterator[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            columns = tuple(opened.schema_arrow.names)
            chosen = list(choose(columns))
            number = 0
            for batch in opened.iter_batches(BATCH, columns=chosen):
                for row in batch.to_pylist():
                    number += 1
                    yield TableRow(str(number), row, columns)
    except (pa.ArrowException, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as Parquet ({error}); copy it anew"
        ) from error
