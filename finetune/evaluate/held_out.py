"""The held-out records of a run: data/SPLIT.jsonl."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from finetune.data.records import RECORD, DialogueRecord, TextRecord
from finetune.errors import FinetuneError
from medassist.core.files import sha256_of_file

TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True)
class HeldOut:
    """Records of a split.

    Attributes:
        split: its name.
        sha256: of its file.
        records: those that are evaluated on.
        not_read: how many more there are.
        instead_of: the split that was asked for, where it has no records.
    """

    split: str
    sha256: str
    records: tuple[TextRecord | DialogueRecord, ...]
    not_read: int
    instead_of: str | None = None

    @property
    def note(self) -> str:
        """What a reader of the figures must know of the split; mostly nothing."""
        if self.split != VALIDATION:
            return ""
        why = f"The run's {self.instead_of} split is empty. " if self.instead_of else ""
        return (
            f"{why}Both models were measured on {self.split}, by which the training "
            "chooses the checkpoint that it keeps: the tuned model may look better "
            "than it is on new data."
        )


def held_out_of(
    run: Path, split: str, limit: int | None = None, *, exactly: bool = False
) -> HeldOut:
    """The records to evaluate on: of `split`, or of validation where test has none.

    Data that was split 90/10 has train and validation, and no test.

    Args:
        run: the run folder.
        split: its name.
        limit: records at most.
        exactly: take no other split than `split`.

    Raises:
        FinetuneError: there is nothing to evaluate on, or a line is no record.
    """
    if exactly or split != TEST or _any(run, split) or not _any(run, VALIDATION):
        return read_held_out(run, split, limit)
    return replace(read_held_out(run, VALIDATION, limit), instead_of=split)


def _any(run: Path, split: str) -> bool:
    """Whether a split has a line that is not blank."""
    try:
        with (run / "data" / f"{split}.jsonl").open("rb") as lines:
            return any(line.strip() for line in lines)
    except OSError:
        return False


def read_held_out(run: Path, split: str, limit: int | None = None) -> HeldOut:
    """The records of a split, every n-th of them where `limit` is less than all.

    Raises:
        FinetuneError: there is no such split, it is empty, or a line is no record.
    """
    file = run / "data" / f"{split}.jsonl"
    if not file.is_file():
        there = sorted(p.stem for p in (run / "data").glob("*.jsonl"))
        found = f"it has {', '.join(there)}" if there else "it has no data/*.jsonl"
        raise FinetuneError(
            f"{file} is not there: the run has no split of that name ({found}). "
            "Prepare the data with a share for it, or name another: --split NAME."
        )
    if split == "train":
        raise FinetuneError(
            f"{file} is what the adapter was trained on: a figure on it says nothing "
            "about new questions. Take --split test or --split validation."
        )
    places: list[int] = []
    with file.open("rb") as lines:
        start = 0
        for line in lines:
            if line.strip():
                places.append(start)
            start += len(line)
    if not places:
        raise FinetuneError(
            f"{file} is empty: there is nothing to evaluate on. Prepare the data with "
            "a share for it, or name another split: --split NAME."
        )
    count = min(limit or len(places), len(places))
    # Spread over the file: its records lie by source.
    chosen = [places[i * len(places) // count] for i in range(count)]
    records: list[TextRecord | DialogueRecord] = []
    with file.open("rb") as lines:
        for place in chosen:
            lines.seek(place)
            line = lines.readline()
            try:
                records.append(RECORD.validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(step) for step in first["loc"]) or "the line"
                raise FinetuneError(
                    f"{file}, byte {place:,}: no record of this version: {where}: "
                    f"{first['msg']}. Prepare the data again."
                ) from error
    left = len(places) - len(records)
    return HeldOut(split, sha256_of_file(file), tuple(records), left)
