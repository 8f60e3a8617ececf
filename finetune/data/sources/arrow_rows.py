"""Rows of Parquet files, and of Arrow files as `datasets` saves and keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.data.sources.row import TableRow, WantedColumns
from finetune.data.sources.row_conversation import has_turns_names
from finetune.errors import FinetuneError

if TYPE_CHECKING:
    import pyarrow as pa

    Batches = Iterator[tuple[pa.RecordBatch, tuple[str, ...]]]

BATCH = 512  # rows that are held at a time


def arrow_rows(file: Path, asked: WantedColumns) -> Iterator[TableRow]:
    """The rows of Parquet, or of Arrow in either form (streamed, or Feather's).

    Args:
        file: as its name ends.
        asked: of its columns; those that are not chosen are not read.

    Raises:
        FinetuneError: the file cannot be read as what its name says.
    """
    import pyarrow as pa

    name = "Parquet" if file.name.lower().endswith(".parquet") else "Arrow"
    number = 0
    try:
        read = _parquet if name == "Parquet" else _arrow
        for batch, columns in read(file, asked):
            for row in batch.to_pylist():
                number += 1
                yield TableRow(str(number), row, columns)
    except (pa.ArrowException, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as {name} ({error}); copy it anew"
        ) from error


def _parquet(file: Path, asked: WantedColumns) -> Batches:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        columns, chosen = _chosen(opened.schema_arrow, asked)
        for batch in opened.iter_batches(BATCH, columns=chosen):
            yield batch, columns


def _arrow(file: Path, asked: WantedColumns) -> Batches:
    import pyarrow as pa

    with pa.memory_map(str(file)) as mapped:
        try:
            batches = iter(pa.ipc.open_stream(mapped))
            schema = batches.schema
        except pa.ArrowInvalid:
            opened = pa.ipc.open_file(mapped)
            schema = opened.schema
            batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
        columns, chosen = _chosen(schema, asked)
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH):
                yield batch.select(chosen).slice(start, BATCH), columns


def _chosen(
    schema: pa.Schema, asked: WantedColumns
) -> tuple[tuple[str, ...], list[str]]:
    columns = tuple(schema.names)
    talks = tuple(field.name for field in schema if _may_be_turns(field.type))
    return columns, list(asked.choose(columns, talks))


def _may_be_turns(kind: pa.DataType) -> bool:
    import pyarrow as pa

    def is_list(kind: pa.DataType) -> bool:
        return pa.types.is_list(kind) or pa.types.is_large_list(kind)

    if pa.types.is_struct(kind):  # a list for each key
        return all(is_list(field.type) for field in kind) and _has_turns(kind)
    return (
        is_list(kind)
        and pa.types.is_struct(kind.value_type)
        and (_has_turns(kind.value_type))
    )


def _has_turns(struct: pa.DataType) -> bool:
    return has_turns_names(field.name for field in struct)
