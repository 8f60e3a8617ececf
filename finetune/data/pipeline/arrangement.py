"""Assigns groups to splits when there are too few documents for the hash to do it.

Groups fall into splits by a hash, so that they stay there when data is added. Of ten
groups none may fall into validation, of one or two nothing may be left for training.
Then groups change their place: whole ones as long as there is one for each split. Where
there are fewer groups than splits (one book, one trial, a column that says the same
in every row), a group is cut into stretches that follow each other, with a record left
out between two of them, so that no sentence runs over from what is learned into what is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune.data.recipe import Split
from finetune.data.steps.split import SPLITS, place

TRAIN = "train"
GAP = 1  # records between two stretches of a document
LEAST = 0.5  # of its share of the records that train must have
SMALLEST = 4  # records of a group for each of its cuts, or it is not divided


@dataclass(frozen=True)
class SplitGroup:
    """A document or patient, with the split that its hash chose."""

    key: int
    """`group_key` as a number."""
    name: str
    records: int
    split: str


@dataclass(frozen=True)
class Stretch:
    """Consecutive records of a group."""

    split: str | None
    records: int


@dataclass(frozen=True)
class Arrangement:
    """New splits of groups that do not stay where their hash put them.

    Attributes:
        moved: whole groups, by their key, and their new split.
        cut: groups, by their key, that are divided, and their stretches in order.
        said: sentences for the user.
    """

    moved: Mapping[int, str]
    cut: Mapping[int, tuple[Stretch, ...]]
    said: tuple[str, ...] = ()


def arrange(groups: Sequence[SplitGroup], split: Split, seed: int) -> Arrangement:
    """Find a place for every group, so that every split that is asked for has one.

    The same groups get the same places, in whatever order they come.
    """
    groups = sorted(groups, key=lambda each: (place(each.name, seed), each.key))
    wanted = [name for name in SPLITS if getattr(split, name) > 0]
    if len(groups) < len(wanted):
        cut = {
            each.key: _stretches(each, wanted, split, seed)
            for each in groups
            if each.records >= SMALLEST * (len(wanted) - 1) and len(wanted) > 1
        }
        if cut:
            return _divided(groups, cut, wanted)
    return _moved(groups, wanted, split)


def _divided(
    groups: Sequence[SplitGroup],
    cut: Mapping[int, tuple[Stretch, ...]],
    wanted: Sequence[str],
) -> Arrangement:
    moved = {
        each.key: TRAIN
        for each in groups
        if each.key not in cut and each.split != TRAIN
    }
    left_out = sum(
        stretch.records
        for stretches in cut.values()
        for stretch in stretches
        if stretch.split is None
    )
    names = [each.name for each in groups if each.key in cut]
    rest = len(groups) - len(cut)
    said = (
        f"{_counted(len(groups), 'document or patient', 'documents or patients')} for "
        f"{len(wanted)} splits: {', '.join(names)} "
        f"{'was' if len(names) == 1 else 'were each'} cut into stretches that follow "
        f"each other, and {_counted(left_out, 'record', 'records')} between them left "
        "out (data/dropped/split.jsonl)"
        + (f"; {rest} too small for it went to train" if rest else "")
        + ". Figures on a document that was partly learned are better than on one that "
        "the model has never seen; for those, add documents"
    )
    return Arrangement(moved, cut, (said,))


def _stretches(
    group: SplitGroup, wanted: Sequence[str], split: Split, seed: int
) -> tuple[Stretch, ...]:
    """The group's records for each split, in an order that depends on the seed."""
    usable = group.records - GAP * (len(wanted) - 1)
    sizes = {
        name: max(1, round(usable * getattr(split, name)))
        for name in wanted
        if name != TRAIN
    }
    while sum(sizes.values()) > usable - 1:  # train keeps a record, whatever its share
        largest = max(sizes, key=lambda name: sizes[name])
        sizes[largest] -= 1
    sizes[TRAIN] = usable - sum(sizes.values())
    order = sorted(wanted, key=lambda name: place(f"{name}\0{group.name}", seed))
    found: list[Stretch] = []
    for name in order:
        if found:
            found.append(Stretch(None, GAP))
        found.append(Stretch(name, sizes[name]))
    return tuple(found)


def _moved(
    groups: Sequence[SplitGroup], wanted: Sequence[str], split: Split
) -> Arrangement:
    """Whole groups in other splits: first for train, then for those that are empty."""
    now = {each.key: each.split for each in groups}
    total = sum(each.records for each in groups)
    least = LEAST * split.train * total
    said: list[str] = []

    def of(name: str) -> list[SplitGroup]:
        return [each for each in groups if now[each.key] == name]

    def size(name: str) -> int:
        return sum(each.records for each in of(name))

    had = size(TRAIN)
    while size(TRAIN) < max(least, 1) and len(of(TRAIN)) < len(groups):
        others = [each for each in groups if now[each.key] != TRAIN]
        largest = max(others, key=lambda each: each.records)
        said.append(
            f"train would have had {had:,} of {total:,} records; {largest.name} with "
            f"{largest.records:,} went there from {largest.split}"
        )
        now[largest.key] = TRAIN
    for name in wanted:
        if of(name):
            continue
        giver = TRAIN if len(of(TRAIN)) > 1 else max(wanted, key=lambda n: len(of(n)))
        if len(of(giver)) < 2:
            said.append(_empty(name, total))
            continue
        spare = size(TRAIN) - least
        able = [each for each in of(giver) if giver != TRAIN or each.records <= spare]
        # The group that stands next to the empty split, if train can do without it.
        chosen = able[0] if able else min(of(giver), key=lambda each: each.records)
        now[chosen.key] = name
        said.append(
            f"{name} would have been empty; one group of {giver}, {chosen.name}, went "
            "there"
        )
    moved = {each.key: now[each.key] for each in groups if now[each.key] != each.split}
    return Arrangement(moved, {}, tuple(said))


def _empty(name: str, records: int) -> str:
    return (
        f"{name} is empty: {_counted(records, 'record', 'records')} of too few "
        "documents or patients to be split. Add data; of plain text, a smaller "
        "--option piece=N (characters) makes more records"
    )


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
