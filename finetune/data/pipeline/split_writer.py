"""Last pipeline step: writes each record into its split's file of the rank."""

from __future__ import annotations

import xxhash
from datatrove.pipeline.base import PipelineStep

from finetune.data.documents import focus_key
from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.datatrove_documents import (
    Documents,
    LineWriter,
    dumped,
    record_of,
    source_of,
)
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.recipe import Split
from finetune.data.steps.split import SPLITS, split_of

STAGE = "split"


class SplitWriter(PipelineStep):
    """Writes train, validation and test of a rank, each record's group and data set."""

    type = "medassist"
    name = "split"

    def __init__(
        self, work: WorkFolder, split: Split, seed: int, counts: Counts
    ) -> None:
        super().__init__()
        self._work = work
        self._split = split
        self._seed = seed
        self._counts = counts

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        assert data is not None
        records = {name: LineWriter(self._work.split(name, rank)) for name in SPLITS}
        groups = {name: LineWriter(self._work.groups(name, rank)) for name in SPLITS}
        places = {name: LineWriter(self._work.places(name, rank)) for name in SPLITS}
        for doc in data:
            record = record_of(doc)
            name = split_of(record.group, self._split, self._seed)
            records[name].write_bytes(dumped(record))
            groups[name].write_bytes(group_key(record.group))
            places[name].write_bytes(source_of(doc).to_bytes(2, "little"))
            self._counts.kept(source_of(doc), name, record)
        for writer in (*records.values(), *groups.values(), *places.values()):
            writer.close()
        return None


def group_key(group: str) -> bytes:
    """Eight bytes that stand for a group where groups are counted."""
    folded = focus_key(group) or group
    return xxhash.xxh3_64_digest(folded.encode("utf-8", "replace"))
