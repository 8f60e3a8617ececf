"""Small sets: a split that was asked for and got nothing takes a group of train.

Groups fall into splits by a hash, so that they stay there when data is added; of ten
groups none may fall into validation. The group of train that stands next to the empty
split goes there, if train keeps two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.documents import read_lines
from finetune.data.pipeline.splitting import group_key
from finetune.data.pipeline.work import Work
from finetune.data.recipe import DataPart
from finetune.data.records import RECORD
from finetune.data.steps.split import place
from finetune.data.steps.verdict import AnyRecord

MOST = 20_000  # records of train, above which an empty split is no accident
TRAIN = "train"

Moves = Mapping[bytes, str]
"""Groups of train, by `group_key`, and the split that they go to."""


def moves_for(
    work: Work, settings: DataPart, counts: Counts
) -> tuple[Moves, list[str]]:
    """Which groups leave train for an empty split, and sentences that say so.

    `counts` is set right; the files of the ranks stay as they are.
    """
    moves: dict[bytes, str] = {}
    said: list[str] = []
    for name in ("validation", "test"):
        if not getattr(settings.split, name) or counts.split(name).records:
            continue
        group = _next_group(work, settings.seed, counts, moves)
        if group is None:
            said.append(
                f"{name} is empty: the data has too few documents or patients to be "
                "split"
            )
            continue
        moves[group_key(group)] = name
        for record, _ in _train(work):
            if group_key(record.group) == group_key(group):
                counts.split(TRAIN).count(record, -1)
                counts.split(name).count(record)
        said.append(
            f"{name} would have been empty; one group of train, {group}, went there"
        )
    return moves, said


def split_lines(work: Work, name: str, moves: Moves) -> Iterator[bytes]:
    """The lines of a split, with what goes in and without what goes out of it."""
    if name == TRAIN:
        for record, line in _train(work):
            if group_key(record.group) not in moves:
                yield line
        return
    for part in split_parts(work, name):
        yield from read_lines(part)
    for record, line in _train(work):
        if moves.get(group_key(record.group)) == name:
            yield line


def split_parts(work: Work, name: str) -> list[Path]:
    """The files that ranks wrote for a split."""
    return sorted((work.folder / "splits" / name).glob("*.jsonl"))


def _train(work: Work) -> Iterator[tuple[AnyRecord, bytes]]:
    for part in split_parts(work, TRAIN):
        for line in read_lines(part):
            yield RECORD.validate_json(line), line


def _next_group(work: Work, seed: int, counts: Counts, moves: Moves) -> str | None:
    if counts.split(TRAIN).records > MOST:
        return None
    by_place = {
        place(record.group, seed): record.group
        for record, _ in _train(work)
        if group_key(record.group) not in moves
    }
    return by_place[min(by_place)] if len(by_place) > 2 else None
