"""Reads the prepared records of a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from finetune.data.manifest import DATA, FILE
from finetune.data.records import RECORD, DialogueRecord, TextRecord
from finetune.errors import FinetuneError


def split_file(run: Path, split: str) -> Path:
    """Where a split lies, whether it is there or not."""
    return run / DATA / f"{split}.jsonl"


def read_split(run: Path, split: str) -> Iterator[TextRecord | DialogueRecord]:
    """The records of `train`, `validation` or `test`, one after the other.

    Raises:
        FinetuneError: the split is not there, or a line of it is no record.
    """
    file = split_file(run, split)
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield RECORD.validate_json(line)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(str(part) for part in first["loc"])
                    raise FinetuneError(
                        f"{file}, line {number}: expected a record, found that {where} "
                        f"is wrong ({first['msg']}); prepare the data again"
                    ) from error
    except FileNotFoundError:
        raise FinetuneError(
            f"{file} is not there; medassist finetune prepare RECIPE --out {run} "
            "writes it"
        ) from None
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error


def count_split(run: Path, split: str) -> int:
    """How many records a split has.

    Raises:
        FinetuneError: it is not there.
    """
    file = split_file(run, split)
    try:
        with file.open("rb") as lines:
            return sum(1 for _ in lines)
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read ({error.strerror}); medassist finetune prepare "
            f"writes it, and {run / DATA / FILE}"
        ) from error
