"""The first step of the pipeline: the files of a rank, read by their sources.

A document that cannot be read is written down and passed over; so is the rest of a
file that turns out to be cut off. Each file is hashed while it is at hand.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline.counts import Counts, SourceTally
from finetune.data.pipeline.documents import (
    Documents,
    LineWriter,
    document,
    pipeline,
    read_lines,
)
from finetune.data.pipeline.reporting import Reporter
from finetune.data.pipeline.splitting import group_key
from finetune.data.pipeline.work import Input, Opened, Work
from finetune.data.records import Licence
from finetune.data.sources.contract import Broken, Read, Reading
from finetune.data.steps.licences import UNKNOWN
from finetune.data.steps.verdict import AnyRecord, Dropped, Kept
from finetune.errors import FinetuneError
from medassist.core.files import sha256_of_file

STAGE = "read"
READ = "read"
LONGEST_REASON = 120  # characters; the list has it whole


class SourceReader(PipelineStep):
    """Gives the records of a rank's files."""

    type = "medassist"
    name = "read"

    def __init__(self, work: Work, sources: Sequence[Opened], counts: Counts) -> None:
        super().__init__()
        self._work = work
        self._sources = sources
        self._counts = counts

    def run(
        self, data: Documents = None, rank: int = 0, world_size: int = 1
    ) -> Documents:
        return pipeline(self._run(rank))

    def _run(self, rank: int) -> Generator[Document]:
        reporter = Reporter(self._work.progress(STAGE), rank)
        broken = LineWriter(self._work.dropped(READ, rank))
        inputs = LineWriter(self._work.listed("inputs", rank))
        # Whose records follow each other mostly; counted at the end.
        groups = {
            place: LineWriter(self._work.listed(f"groups-{place}", rank))
            for place in range(len(self._sources))
        }
        step = self._counts.step(READ)
        for line in read_lines(self._work.shard(rank)):
            one = Input.model_validate_json(line)
            opened = self._sources[one.source]
            tally = self._counts.source(one.source)
            inputs.write(
                {
                    "source": opened.info.name,
                    "file": one.path,
                    "bytes": one.bytes,
                    "sha256": _sha256(Path(one.path)),
                    "place": one.source,
                }
            )
            group = ""
            for found in _read(opened, Path(one.path), tally):
                if isinstance(found, Broken):
                    tally.broken += 1
                    step.count(Dropped(_in_brief(found)))
                    broken.write(
                        {
                            "source": opened.info.name,
                            "id": found.id,
                            "file": found.file,
                            "reason": found.reason,
                        }
                    )
                    continue
                record = _with_licence(found, opened.licence)
                if record.group != group:
                    group = record.group
                    groups[one.source].write_bytes(group_key(group))
                tally.read += 1
                tally.licences[record.licence.name] += 1
                step.count(Kept(record))
                yield document(record, one.source)
            reporter.add(one.bytes)
        for writer in (broken, inputs, *groups.values()):
            writer.close()
        reporter.tell()


def _read(opened: Opened, file: Path, tally: SourceTally) -> Iterator[Read]:
    """What a file gives, its own failure included; counts its columns at the end."""
    try:
        columns = yield from _reading(opened.source.read(file))
        if columns is not None:
            tally.understood(columns)
    except FinetuneError as error:
        yield Broken(file.name, str(file), str(error))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        yield Broken(file.name, str(file), reason)


def _reading(records: Iterator[Read]) -> Reading:
    """Any iterator as a `Reading`."""
    return (yield from records)


def _in_brief(broken: Broken) -> str:
    """Without the particulars, so that the manifest has few reasons."""
    reason = broken.reason.replace(broken.file, "the file")
    brief = "".join("#" if letter.isdigit() else letter for letter in reason)
    cut = f"{brief[: LONGEST_REASON - 3]}..."
    return brief if len(brief) <= LONGEST_REASON else cut


def _with_licence(record: AnyRecord, stated: str | None) -> AnyRecord:
    if stated is None or record.licence.name.casefold() != UNKNOWN:
        return record
    licence = Licence(name=stated, evidence="stated by the user for the data set")
    return record.model_copy(update={"licence": licence})


def _sha256(file: Path) -> str:
    try:
        return sha256_of_file(file)
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read: {error.strerror}; it was there a moment ago"
        ) from error
