"""Counts of what happens to records, one file a rank, added up at the end.

A rank that was done in an earlier call left its file: a preparation that was broken
off loses no count.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from finetune.data.sources.data_source import Columns
from finetune.data.steps.licences import LicenceDecision
from finetune.data.steps.step_result import AnyRecord, Dropped, Kept, StepResult
from medassist.core.files import write_whole

READ, SPLIT = "read", "split"  # the first step and the last
Tally = Counter[str]


@dataclass
class _Counted:
    """Numbers, and texts of which the first stands for all."""

    def add(self, other: Self) -> None:
        """Add what another rank counted."""
        for each in fields(self):
            both = _together(getattr(self, each.name), getattr(other, each.name))
            setattr(self, each.name, both)


def _together(one: Any, other: Any) -> Any:
    match one:
        case int():
            return one + other
        case Counter():
            one.update(other)
        case dict():
            for key, value in other.items():
                one[key] = _together(one[key], value) if key in one else value
        case _Counted():
            one.add(other)
        case _:
            pass
    return one


@dataclass
class StepTally(_Counted):
    """Counts of one step."""

    into: int = 0
    out: int = 0
    dropped: Tally = field(default_factory=Counter)
    changed: Tally = field(default_factory=Counter)
    found: Tally = field(default_factory=Counter)


@dataclass
class SourceTally(_Counted):
    """Counts of one data set, by its place in the recipe."""

    read: int = 0
    broken: int = 0
    kept: int = 0
    licences: Tally = field(default_factory=Counter)
    taken: dict[str, Tally] = field(default_factory=dict[str, Tally])
    """The columns of tables, by the field that they were read into, and in how many
    files."""
    unused: Tally = field(default_factory=Counter)
    """Columns of which nothing was read, and in how many files."""
    missing: Tally = field(default_factory=Counter)
    """Cells with a word for nothing, by column."""


@dataclass
class LicenceTally(_Counted):
    """Count of records with one licence and decision."""

    evidence: str
    records: int = 0


@dataclass
class SplitTally(_Counted):
    """Counts of one split."""

    records: int = 0
    texts: int = 0
    dialogues: int = 0
    sources: Tally = field(default_factory=Counter)


@dataclass
class Counts(_Counted):
    """All counts of a rank in a stage."""

    steps: dict[str, StepTally] = field(default_factory=dict)
    sources: dict[int, SourceTally] = field(default_factory=dict)
    licences: dict[str, LicenceTally] = field(default_factory=dict)
    """By a JSON list of the licence's name, whether it is used, and why."""
    splits: dict[str, SplitTally] = field(default_factory=dict)

    def step(self, name: str) -> StepTally:
        """The step's tally, made where there is none."""
        return self.steps.setdefault(name, StepTally())

    def source(self, place: int) -> SourceTally:
        """The tally of the recipe's data set at `place`."""
        return self.sources.setdefault(place, SourceTally())

    def split(self, name: str) -> SplitTally:
        """The split's tally."""
        return self.splits.setdefault(name, SplitTally())

    def read(self, place: int, record: AnyRecord) -> None:
        """Count a record read from a data set."""
        source = self.source(place)
        source.read += 1
        source.licences[record.licence.name] += 1
        self.judged(READ, Kept(record))

    def broken(self, place: int, reason: str) -> None:
        """Count a record that could not be read."""
        self.source(place).broken += 1
        self.judged(READ, Dropped(reason))

    def understood(self, place: int, columns: Columns) -> None:
        """Count what the columns of a file were taken for."""
        source = self.source(place)
        for ours, names in columns.taken.items():
            source.taken.setdefault(ours, Counter()).update(names)
        source.unused.update(columns.unused)
        source.missing.update(columns.missing)
        self.step(READ).changed.update(columns.changed)

    def decided(self, record: AnyRecord, decision: LicenceDecision) -> None:
        """Count a decision on a licence."""
        key = json.dumps([record.licence.name, decision.used, decision.why])
        new = LicenceTally(evidence=record.licence.evidence)
        self.licences.setdefault(key, new).records += 1

    def judged(self, step: str, verdict: StepResult) -> None:
        """Count the result of a step."""
        tally = self.step(step)
        tally.into += 1
        if isinstance(verdict, Dropped):
            tally.dropped[verdict.reason] += 1
            return
        tally.out += 1
        tally.changed.update(verdict.changed)
        tally.found.update({found.rule for found in verdict.found})

    def placed(self, split: str, record: AnyRecord) -> None:
        """Count a record of a split."""
        tally = self.split(split)
        tally.records += 1
        tally.texts += record.kind == "text"
        tally.dialogues += record.kind == "dialogue"
        tally.sources[record.source] += 1

    def kept(self, place: int, split: str, record: AnyRecord) -> None:
        """Count a record of a data set that is kept in a split."""
        self.judged(SPLIT, Kept(record))
        self.placed(split, record)
        self.source(place).kept += 1

    def left_out(self, place: int, reason: str) -> None:
        """Undo the count of a kept record."""
        self.source(place).kept -= 1
        self.step(SPLIT).out -= 1
        self.step(SPLIT).dropped[reason] += 1

    def write(self, file: Path) -> None:
        """Write the counts of a rank, over those of an earlier try."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _COUNTS.dump_json(self))


_COUNTS = TypeAdapter(Counts)


def added_up(folder: Path) -> Counts:
    """The counts of all ranks in `folder`, in their order."""
    total = Counts()
    for file in sorted(folder.glob("*.json")):
        total.add(_COUNTS.validate_json(file.read_bytes()))
    return total
