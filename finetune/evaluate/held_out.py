"""The held-out records that a run is evaluated on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.data.split_file import count_records, read_records
from finetune.errors import FinetuneError
from finetune.evaluate.result import DataFacts
from medassist.core.files import sha256_of_file
from medassist.core.run_folder import RunFolder

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

    def facts(self, *, tokens: int = 0, bytes: int = 0, unscored: int = 0) -> DataFacts:
        """Facts about the data of an evaluation; the figures are of scored items."""
        return DataFacts(
            split=self.split,
            instead_of=self.instead_of,
            note=self.note,
            sha256=self.sha256,
            records=len(self.records),
            dialogues=sum(record.kind == "dialogue" for record in self.records),
            texts=sum(record.kind == "text" for record in self.records),
            groups=len({(record.source, record.group) for record in self.records}),
            tokens=tokens,
            bytes=bytes,
            not_read=self.not_read,
            unscored=unscored,
        )

    @property
    def note(self) -> str:
        """A warning on the split for readers of the figures; mostly empty."""
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
    data = RunFolder(run)
    lacking = split == TEST and not count_records(data.split(TEST))
    if exactly or not lacking or not count_records(data.split(VALIDATION)):
        return read_held_out(run, split, limit)
    return replace(read_held_out(run, VALIDATION, limit), instead_of=split)


def read_held_out(run: Path, split: str, limit: int | None = None) -> HeldOut:
    """The records of a split, every n-th of them where `limit` is less than all.

    Raises:
        FinetuneError: there is no such split, it is empty, or a line is no record.
    """
    file = RunFolder(run).split(split)
    if not file.is_file():
        names = sorted(p.stem for p in (run / "data").glob("*.jsonl"))
        found = f"it has {', '.join(names)}" if names else "it has no data/*.jsonl"
        raise FinetuneError(
            f"{file} is not there: the run has no split of that name ({found}). "
            "Prepare the data with a share for it, or name another: --split NAME."
        )
    if split == "train":
        raise FinetuneError(
            f"{file} is what the adapter was trained on: a figure on it says nothing "
            "about new questions. Take --split test or --split validation."
        )
    there = count_records(file)
    if not there:
        raise FinetuneError(
            f"{file} is empty: there is nothing to evaluate on. Prepare the data with "
            "a share for it, or name another split: --split NAME."
        )
    count = min(limit or there, there)
    # Spread over the file: its records lie by source.
    chosen = {i * there // count for i in range(count)}
    records = tuple(read_records(file, chosen))
    return HeldOut(split, sha256_of_file(file), records, there - len(records))
