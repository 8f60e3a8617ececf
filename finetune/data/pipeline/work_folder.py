"""Work folder of a preparation, until its data have their final names.

`RUN/data/.work-HASH/`: the hash is of the settings, the inputs (path, size, time) and
the number of tasks, since datatrove skips a rank by its number alone: other inputs
under the same folder would be passed over in silence.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.data.recipe import DataPart
from finetune.data.sources.data_source import DataSource, SourceInfo
from finetune.errors import FinetuneError
from medassist.frozen_model import FrozenModel

PREFIX = ".work-"


class Input(FrozenModel):
    """A file that is read."""

    source: int
    """The data set's place in the recipe."""
    path: str
    bytes: int
    changed: int
    """Nanoseconds since 1970."""


@dataclass(frozen=True)
class OpenedSource:
    """A data set of the recipe, ready to be read."""

    info: SourceInfo
    source: DataSource
    root: Path
    path: str
    """Path as the user gave it."""
    licence: str | None
    """Licence that the user names, where the files say nothing."""


@dataclass(frozen=True)
class WorkFolder:
    """Paths in the work folder."""

    data: Path
    """RUN/data."""
    folder: Path

    def stage(self, name: str) -> Path:
        """Datatrove's own folder of a stage: what is done, what it counted."""
        return self.folder / "stages" / name

    def shard(self, rank: int) -> Path:
        """The files that a rank reads."""
        return self.folder / "shards" / f"{rank:05d}.jsonl"

    def part(self, rank: int) -> Path:
        """The records that a rank read and kept."""
        return self.folder / "parts" / f"{rank:05d}.jsonl"

    def offsets(self, rank: int) -> Path:
        """Path of the offsets at which the lines of a part begin: 64-bit numbers."""
        return self.folder / "parts" / f"{rank:05d}.offsets"

    @property
    def signatures(self) -> Path:
        """Path of the signatures of each part, by bucket."""
        return self.folder / "signatures"

    @property
    def candidates(self) -> Path:
        """Pairs of records that may be duplicates."""
        return self.folder / "candidates"

    @property
    def removals(self) -> Path:
        """Path of the duplicates that the comparison found."""
        return self.folder / "removals"

    @property
    def exams(self) -> Path:
        """Path of the exam texts for the overlap step."""
        return self.folder / "exams"

    def counts(self, stage: str) -> Path:
        """Path of the counts of a stage's ranks."""
        return self.folder / "counts" / stage

    def dropped(self, step: str, rank: int) -> Path:
        """Path of the list of what a rank took out in a step."""
        return self.folder / "dropped" / step / f"{rank:05d}.jsonl"

    def listed(self, what: str, rank: int) -> Path:
        """A rank's part of a list: inputs, licences, identifiers."""
        return self.folder / "lists" / what / f"{rank:05d}.jsonl"

    def split(self, name: str, rank: int) -> Path:
        """A rank's part of a split."""
        return self.folder / "splits" / name / f"{rank:05d}.jsonl"

    def groups(self, name: str, rank: int) -> Path:
        """Hashes of the groups of a rank's part of a split, a record eight bytes."""
        return self.split(name, rank).with_suffix(".groups")

    def places(self, name: str, rank: int) -> Path:
        """Data sets of the records of a rank's part of a split, each two bytes."""
        return self.split(name, rank).with_suffix(".places")

    def progress(self, stage: str) -> Path:
        """Path of the progress of a stage's ranks."""
        return self.folder / "progress" / stage

    def remove(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_others(self) -> None:
        """Take away what preparations with other settings left."""
        for folder in self.data.glob(f"{PREFIX}*"):
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)


def find_inputs(sources: Sequence[OpenedSource]) -> list[Input]:
    """All input files of all data sets, in the recipe's order.

    Raises:
        FinetuneError: a data set has none, or one cannot be looked at.
    """
    found: list[Input] = []
    for place, opened in enumerate(sources):
        for file in opened.source.files(opened.root):
            try:
                stat = file.stat()
            except OSError as error:
                raise FinetuneError(
                    f"{file} cannot be read: {error.strerror}; it belongs to "
                    f"{opened.info.name}"
                ) from error
            found.append(
                Input(
                    source=place,
                    path=str(file),
                    bytes=stat.st_size,
                    changed=stat.st_mtime_ns,
                )
            )
    return found


def settings_hash(settings: DataPart) -> str:
    """SHA-256 of the settings with every default written out."""
    # Data that was prepared before there was this setting stays known.
    left_out = None if settings.languages else {"languages"}
    written = settings.model_dump_json(exclude=left_out)
    return hashlib.sha256(written.encode()).hexdigest()


def inputs_hash(inputs: Sequence[Input], more: Sequence[Path]) -> str:
    """SHA-256 of what is known of the inputs without reading them."""
    digest = hashlib.sha256()
    for one in inputs:
        digest.update(one.model_dump_json().encode() + b"\n")
    for file in more:
        stat = file.stat()
        digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def deal(inputs: Sequence[Input], tasks: int) -> list[list[Input]]:
    """Distribute inputs over ranks: neighbours together, about equal bytes.

    The records of rank 0, rank 1 and so on are those of the files in their order,
    however many ranks there are: what a preparation gives does not depend on them.
    """
    total = sum(one.bytes for one in inputs) or 1
    shards: list[list[Input]] = [[] for _ in range(tasks)]
    before = 0
    for one in inputs:
        middle = before + one.bytes / 2
        shards[min(int(middle * tasks / total), tasks - 1)].append(one)
        before += one.bytes
    return shards
