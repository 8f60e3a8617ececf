"""Compares candidates for duplicates, and removes duplicates.

Candidates that hang together form a group. In the order in which they were read, a
record goes if it is like one that stays; else it stays. So nothing goes because it is
like something that is like something else, and what is said of a record that went, of
which one it is a duplicate and how much alike they are, is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.datatrove_documents import (
    Documents,
    LineWriter,
    pipeline,
    read_part_line,
    record_of,
)
from finetune.data.pipeline.rank_progress import Reporter
from finetune.data.pipeline.sieve import dropped_row
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.recipe import Duplicates
from finetune.data.steps.duplicates import ComparedText, exact_key
from finetune.data.steps.step_result import AnyRecord, Dropped, Kept

STAGE = "compare"
STEP = "duplicates"
EXACT = "exact duplicate"
NEAR = "near duplicate"
MOST_COMPARED = 200  # of a group; what is like the last 200 that stayed is found

Place = tuple[int, int]
"""A rank, and a line of its part."""


class Judge(PipelineStep):
    """Compares the candidates of the groups assigned to a rank."""

    type = "medassist"
    name = "compare"

    def __init__(self, work: WorkFolder, wishes: Duplicates) -> None:
        super().__init__()
        self._work = work
        self._wishes = wishes

    def run(
        self, data: Documents = None, rank: int = 0, world_size: int = 1
    ) -> Documents:
        writers: dict[int, LineWriter] = {}
        folder = self._work.removals
        for old in folder.glob(f"*/{rank:05d}.jsonl"):
            old.unlink()
        reporter = Reporter(self._work.progress(STAGE), rank)
        for group in self._groups():
            first_rank, first_line = group[0]
            if (first_rank * 1_000_003 + first_line) % world_size != rank:
                continue
            for (part, line), row in self._judged(group):
                if part not in writers:
                    file = folder / f"{part:05d}" / f"{rank:05d}.jsonl"
                    writers[part] = LineWriter(file)
                writers[part].write({"line": line, **row})
        for writer in writers.values():
            writer.close()
        reporter.add(1)
        return pipeline(())

    def _groups(self) -> list[list[Place]]:
        """Candidates that hang together, each group in the order of reading."""
        above: dict[Place, Place] = {}

        def top(place: Place) -> Place:
            while above.setdefault(place, place) != place:
                above[place] = above[above[place]]
                place = above[place]
            return place

        for file in sorted(self._work.candidates.glob("*.dups")):
            pairs = np.fromfile(file, "<u4").reshape(-1, 4)
            for part_a, line_a, part_b, line_b in pairs.tolist():
                one, other = top((part_a, line_a)), top((part_b, line_b))
                above[max(one, other)] = min(one, other)
        groups: dict[Place, list[Place]] = {}
        for place in sorted(above):
            groups.setdefault(top(place), []).append(place)
        return list(groups.values())

    def _judged(self, group: list[Place]) -> Iterator[tuple[Place, dict[str, Any]]]:
        first: dict[int, AnyRecord] = {}
        staying: list[tuple[AnyRecord, ComparedText]] = []
        for place in group:
            record = self._record(place)
            key = exact_key(record)
            if self._wishes.exact:
                if key in first:
                    yield place, _row(EXACT, first[key], 1.0)
                    continue
                first[key] = record
            if not self._wishes.near:
                continue
            compared = ComparedText.of(record)
            like = _most_alike(compared, staying, self._wishes.similarity)
            if like is None:
                staying.append((record, compared))
                del staying[:-MOST_COMPARED]
            elif not self._wishes.exact and exact_key(like[0]) == key:
                staying.append((record, compared))  # asked to stay
            else:
                yield place, _row(NEAR, *like)

    def _record(self, place: Place) -> AnyRecord:
        part, line = place
        with self._work.offsets(part).open("rb") as offsets:
            offsets.seek(8 * line)
            at = int.from_bytes(offsets.read(8), "little")
        with self._work.part(part).open("rb") as lines:
            lines.seek(at)
            return read_part_line(lines.readline())[1]


def _most_alike(
    compared: ComparedText,
    staying: list[tuple[AnyRecord, ComparedText]],
    threshold: float,
) -> tuple[AnyRecord, float] | None:
    for record, other in staying:
        alike = compared.similarity(other)
        if alike >= threshold:
            return record, alike
    return None


def _row(reason: str, kept: AnyRecord, alike: float) -> dict[str, Any]:
    return {
        "reason": reason,
        "kept_source": kept.source,
        "kept": kept.id,
        "similarity": round(alike, 4),
    }


class RemoveDuplicates(PipelineStep):
    """Removes duplicates from a rank's part."""

    type = "medassist"
    name = "remove duplicates"

    def __init__(self, work: WorkFolder, counts: Counts) -> None:
        super().__init__()
        self._work = work
        self._counts = counts

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        return pipeline(self._run(data, rank))

    def _run(self, data: Documents, rank: int) -> Iterator[Document]:
        assert data is not None
        going = self._going(rank)
        self._counts.step(STEP)  # also where nothing comes
        dropped = LineWriter(self._work.dropped(STEP, rank))
        for line, doc in enumerate(data):
            row = going.get(line)
            if row is None:
                self._counts.judged(STEP, Kept(record_of(doc)))
                yield doc
                continue
            self._counts.judged(STEP, Dropped(row["reason"]))
            detail = f"of {row['kept']} of {row['kept_source']}"
            dropped.write(
                {
                    **dropped_row(record_of(doc), row["reason"], detail),
                    "similarity": row["similarity"],
                }
            )
        dropped.close()

    def _going(self, rank: int) -> dict[int, dict[str, Any]]:
        going: dict[int, dict[str, Any]] = {}
        for file in sorted((self._work.removals / f"{rank:05d}").glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                row = orjson.loads(line)
                going[row["line"]] = row
        return going
