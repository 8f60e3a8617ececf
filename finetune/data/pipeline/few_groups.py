"""Refills splits that hashing left empty or too small.

What ranks wrote stays as it is: where something must change, each record's new place is
found while the files are read, so that a broken-off end can begin again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from finetune.data.pipeline.arrangement import (
    LEAST,
    TRAIN,
    Arrangement,
    SplitGroup,
    arrange,
)
from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.datatrove_documents import LineWriter, read_lines
from finetune.data.pipeline.sieve import dropped_row
from finetune.data.pipeline.split_writer import STAGE
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.prepared_records import RECORD
from finetune.data.recipe import DataPart, Split
from finetune.data.steps.split import SPLITS
from finetune.errors import FinetuneError

MOST = 20_000  # groups, above which an empty split is no accident
BETWEEN = "between two splits of one document"


@dataclass(frozen=True)
class Rearranged:
    """Result of refilling the splits.

    Attributes:
        said: sentences for the user.
        groups: how many groups are in each split, where anything has changed.
        divided: names of groups that are in several splits.
        arrangement: what has changed; none where all is as the ranks wrote it.
    """

    said: tuple[str, ...] = ()
    groups: Mapping[str, int] = field(default_factory=dict[str, int])
    divided: tuple[str, ...] = ()
    arrangement: Arrangement | None = None


def rearranged(work: WorkFolder, settings: DataPart, counts: Counts) -> Rearranged:
    """Make sure that every wanted split has records; corrects `counts`.

    Raises:
        FinetuneError: nothing is left to train on.
    """
    split = settings.split
    names = [name for name in SPLITS if getattr(split, name) > 0]
    records = {name: counts.split(name).records for name in SPLITS}
    least = LEAST * split.train * sum(records.values())
    if all(records[name] for name in names) and records[TRAIN] >= least:
        return Rearranged()
    sizes = {name: _sizes(work, name) for name in SPLITS}
    known = len(set().union(*sizes.values()))
    if known > MOST:
        return Rearranged(tuple(_left_as_it_is(split, records, known)))
    groups = _groups(work, sizes)
    found = arrange(groups, split, settings.seed)
    if not found.moved and not found.cut:
        return Rearranged(found.said)
    divided = tuple(each.name for each in groups if each.key in found.cut)
    return Rearranged(found.said, _recount(work, found, counts), divided, found)


def split_lines(
    work: WorkFolder, name: str, arrangement: Arrangement
) -> Iterator[bytes]:
    """The lines of a split as it is arranged."""
    for goes, _, line, _ in _destined(work, arrangement):
        if goes == name:
            yield line


def split_parts(work: WorkFolder, name: str) -> list[Path]:
    """The files that ranks wrote for a split."""
    return sorted((work.folder / "splits" / name).glob("*.jsonl"))


def _left_as_it_is(
    split: Split, records: Mapping[str, int], known: int
) -> Iterator[str]:
    for name in SPLITS:
        share = getattr(split, name)
        if not share or records[name]:
            continue
        why = (
            f"{name} is empty: its share of {known:,} documents or patients ({share:g})"
            " comes to less than one; ask for more by --split, as 80/10/10"
        )
        if name == TRAIN:
            raise FinetuneError(why)
        yield why


def _keys(part: Path) -> npt.NDArray[np.uint64]:
    """The group of each line of a part."""
    return np.fromfile(part.with_suffix(".groups"), "<u8")


def _sizes(work: WorkFolder, name: str) -> dict[int, int]:
    """The records of each group of a split."""
    every = [_keys(part) for part in split_parts(work, name)]
    if not every:
        return {}
    keys, times = np.unique(np.concatenate(every), return_counts=True)
    return dict(zip(keys.tolist(), times.tolist(), strict=True))


def _groups(
    work: WorkFolder, sizes: Mapping[str, Mapping[int, int]]
) -> list[SplitGroup]:
    groups: dict[int, SplitGroup] = {}
    for split, of_split in sizes.items():
        for part in split_parts(work, split):
            keys = _keys(part).tolist()
            for key, line in zip(keys, read_lines(part), strict=True):
                if key not in groups:
                    name = RECORD.validate_json(line).group
                    groups[key] = SplitGroup(key, name, of_split[key], split)
    return list(groups.values())


def _destined(
    work: WorkFolder, arrangement: Arrangement
) -> Iterator[tuple[str | None, int, bytes, int]]:
    """Each record's split or none, group, line, and place of its data set."""
    goes = {
        key: iter([each.split for each in stretches for _ in range(each.records)])
        for key, stretches in arrangement.cut.items()
    }
    for split in SPLITS:
        for part in split_parts(work, split):
            keys = _keys(part).tolist()
            places = np.fromfile(part.with_suffix(".places"), "<u2").tolist()
            rows = zip(keys, read_lines(part), places, strict=True)
            for key, line, place in rows:
                if key in goes:
                    yield next(goes[key]), key, line, place
                else:
                    yield arrangement.moved.get(key, split), key, line, place


def _recount(
    work: WorkFolder, arrangement: Arrangement, counts: Counts
) -> dict[str, int]:
    """Count the splits anew, and list what is in none; the groups of each split."""
    counts.splits.clear()
    groups: dict[str, set[int]] = {name: set() for name in SPLITS}
    dropped = LineWriter(work.dropped(STAGE, 0))
    for goes, key, line, place in _destined(work, arrangement):
        record = RECORD.validate_json(line)
        if goes is None:
            counts.left_out(place, BETWEEN)
            dropped.write(dropped_row(record, BETWEEN, ""))
            continue
        groups[goes].add(key)
        counts.placed(goes, record)
    dropped.close()
    return {name: len(found) for name, found in groups.items()}
