"""What ranks count, each in a file of its own, added up at the end.

A rank that was done in an earlier call left its file: a preparation that was broken
off loses no count.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from finetune.data.sources.contract import Columns
from finetune.data.steps.verdict import AnyRecord, Dropped, Verdict
from medassist.core.files import write_whole

Tally = Counter[str]


@dataclass
class StepTally:
    """One step."""

    into: int = 0
    out: int = 0
    dropped: Tally = field(default_factory=Counter)
    changed: Tally = field(default_factory=Counter)
    found: Tally = field(default_factory=Counter)

    def count(self, verdict: Verdict) -> None:
        """Count what a step said of a record."""
        self.into += 1
        if isinstance(verdict, Dropped):
            self.dropped[verdict.reason] += 1
            return
        self.out += 1
        if verdict.changed:
            self.changed.update(verdict.changed)
        if verdict.found:
            self.found.update({found.rule for found in verdict.found})

    def add(self, other: StepTally) -> None:
        """Add what another rank counted."""
        self.into += other.into
        self.out += other.out
        self.dropped += other.dropped
        self.changed += other.changed
        self.found += other.found


@dataclass
class SourceTally:
    """One data set, by its place in the recipe."""

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

    def understood(self, columns: Columns) -> None:
        """Count what the columns of a file were taken for."""
        for ours, names in columns.taken.items():
            self.taken.setdefault(ours, Counter()).update(names)
        self.unused.update(columns.unused)
        self.missing.update(columns.missing)

    def add(self, other: SourceTally) -> None:
        """Add what another rank counted."""
        self.read += other.read
        self.broken += other.broken
        self.kept += other.kept
        self.licences += other.licences
        for ours, names in other.taken.items():
            self.taken.setdefault(ours, Counter()).update(names)
        self.unused += other.unused
        self.missing += other.missing


@dataclass
class LicenceTally:
    """Records of one licence on which the same was decided."""

    evidence: str
    records: int = 0


@dataclass
class SplitTally:
    """One split."""

    records: int = 0
    texts: int = 0
    dialogues: int = 0
    sources: Tally = field(default_factory=Counter)

    def count(self, record: AnyRecord) -> None:
        """Count a record in."""
        self.records += 1
        self.texts += record.kind == "text"
        self.dialogues += record.kind == "dialogue"
        self.sources[record.source] += 1

    def add(self, other: SplitTally) -> None:
        """Add what another rank counted."""
        self.records += other.records
        self.texts += other.texts
        self.dialogues += other.dialogues
        self.sources += other.sources


@dataclass
class Counts:
    """All that a rank counts in a stage."""

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

    def decided(self, record: AnyRecord, used: bool, why: str) -> None:
        """Count a decision on a licence."""
        key = json.dumps([record.licence.name, used, why])
        tally = self.licences.setdefault(
            key, LicenceTally(evidence=record.licence.evidence)
        )
        tally.records += 1

    def add(self, other: Counts) -> None:
        """Add what another rank counted."""
        for name, step in other.steps.items():
            self.step(name).add(step)
        for place, source in other.sources.items():
            self.source(place).add(source)
        for key, licence in other.licences.items():
            tally = self.licences.setdefault(
                key, LicenceTally(evidence=licence.evidence)
            )
            tally.records += licence.records
        for name, split in other.splits.items():
            self.split(name).add(split)

    def write(self, file: Path) -> None:
        """Leave the counts of a rank; an earlier try of the rank is written over."""
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _COUNTS.dump_json(self))


_COUNTS = TypeAdapter(Counts)


def added_up(folder: Path) -> Counts:
    """The counts of all ranks in `folder`, in their order."""
    total = Counts()
    for file in sorted(folder.glob("*.json")):
        total.add(_COUNTS.validate_json(file.read_bytes()))
    return total
