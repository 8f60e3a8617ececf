"""The held-out records of a run: data/SPLIT.jsonl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from finetune.data.records import RECORD, DialogueRecord, TextRecord
from finetune.errors import FinetuneError
from medassist.core.card import sha256_of_file

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class HeldOut:
    """Records of a split.

    Attributes:
        split: its name.
        sha256: of its file.
        records: those that are evaluated on.
        not_read: how many more there are.
    """

    split: str
    sha256: str
    records: tuple[TextRecord | DialogueRecord, ...]
    not_read: int


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
        raise FinetuneError(f"{file} is empty: there is nothing to evaluate on.")
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
