"""First pipeline step: reads the files of a rank by their sources.

A document that cannot be read is written down and passed over; so is the rest of a
file that turns out to be cut off. Each file is hashed while it is at hand.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline.counts import READ, Counts
from finetune.data.pipeline.datatrove_documents import (
    Documents,
    LineWriter,
    document,
    pipeline,
    read_lines,
)
from finetune.data.pipeline.rank_progress import Reporter
from finetune.data.pipeline.split_writer import group_key
from finetune.data.pipeline.work_folder import Input, OpenedSource, WorkFolder
from finetune.data.sources.data_source import Broken, Read, Reading
from finetune.data.steps.licences import as_stated
from finetune.errors import FinetuneError
from medassist.core.files import sha256_of_file

STAGE = "read"
LONGEST_REASON = 120  # characters; the list has it whole


class SourceReader(PipelineStep):
    """Gives the records of a rank's files."""

    type = "medassist"
    name = "read"

    def __init__(
        self, work: WorkFolder, sources: Sequence[OpenedSource], counts: Counts
    ) -> None:
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
        self._counts.step(READ)  # also where nothing comes
        for line in read_lines(self._work.shard(rank)):
            one = Input.model_validate_json(line)
            opened = self._sources[one.source]
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
            for found in self._read(one):
                if isinstance(found, Broken):
                    self._counts.broken(one.source, _in_brief(found))
                    broken.write(
                        {
                            "source": opened.info.name,
                            "id": found.id,
                            "file": found.file,
                            "reason": found.reason,
                        }
                    )
                    continue
                record = as_stated(found, opened.licence)
                if record.group != group:
                    group = record.group
                    groups[one.source].write_bytes(group_key(group))
                self._counts.read(one.source, record)
                yield document(record, one.source)
            reporter.add(one.bytes)
        for writer in (broken, inputs, *groups.values()):
            writer.close()
        reporter.tell()

    def _read(self, one: Input) -> Iterator[Read]:
        """Documents of a file, its own failure included; its columns are counted."""
        file = Path(one.path)
        try:
            records = self._sources[one.source].source.read(file)
            columns = yield from _reading(records)
            if columns is not None:
                self._counts.understood(one.source, columns)
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


def _sha256(file: Path) -> str:
    try:
        return sha256_of_file(file)
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read: {error.strerror}; it was there a moment ago"
        ) from error
