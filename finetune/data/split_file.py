"""Reads the records of a split: data/SPLIT.jsonl of a run folder."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from pydantic import ValidationError

from finetune.data.prepared_records import RECORD, DialogueRecord, TextRecord
from finetune.errors import FinetuneError
from medassist.core.validated import first_problem


def count_records(file: Path) -> int:
    """The number of records of a split; 0 where there is no such file."""
    if not file.is_file():
        return 0
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def read_records(
    file: Path, places: Container[int] | None = None
) -> Iterator[TextRecord | DialogueRecord]:
    """The records of a split, in their order.

    Args:
        file: data/SPLIT.jsonl.
        places: numbers from 0 of the records that are wanted; by default all.

    Raises:
        FinetuneError: the file cannot be read, or a line is no record.
    """
    place = -1
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                place += 1
                if places is None or place in places:
                    yield _record(file, number, line)
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read ({error.strerror}); prepare the data with: "
            f"medassist finetune prepare RECIPE --out {file.parent.parent}"
        ) from error


def _record(file: Path, number: int, line: bytes) -> TextRecord | DialogueRecord:
    try:
        return RECORD.validate_json(line)
    except ValidationError as error:
        raise FinetuneError(
            f"{file}, line {number} is no record: {first_problem(error, 'the line')}; "
            "prepare the data anew"
        ) from error
