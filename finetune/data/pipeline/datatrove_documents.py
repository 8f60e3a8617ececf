"""Converts records to datatrove's documents, and stores them by rank."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import orjson
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline.rank_progress import Reporter
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.prepared_records import RECORD
from finetune.data.steps.duplicates import parts
from finetune.data.steps.step_result import AnyRecord

RECORD_KEY = "record"
SOURCE_KEY = "source"
BETWEEN_PARTS = "\0"
Documents = Generator[Document, None, None] | None
"""Documents that datatrove hands from step to step."""


def document(record: AnyRecord, source: int) -> Document:
    """A record as a datatrove document; `source` is its data set's place."""
    return Document(
        text="", id=record.id, metadata={RECORD_KEY: record, SOURCE_KEY: source}
    )


def record_of(doc: Document) -> AnyRecord:
    """The record of a document."""
    return cast("AnyRecord", doc.metadata[RECORD_KEY])


def source_of(doc: Document) -> int:
    """The place of the document's data set in the recipe."""
    return cast("int", doc.metadata[SOURCE_KEY])


def pipeline(documents: Iterable[Document]) -> Documents:
    """Documents under the type that datatrove gives them."""
    return cast("Documents", documents)


def dumped(record: AnyRecord) -> bytes:
    """A record as a line of JSON, with the line end."""
    return record.__pydantic_serializer__.to_json(record) + b"\n"


def read_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file that a rank wrote."""
    with file.open("rb") as lines:
        yield from lines


class PartWriter(PipelineStep):
    """Writes a rank's records and passes them on; creates the file even if empty."""

    type = "medassist"
    name = "write part"

    def __init__(self, work: WorkFolder) -> None:
        super().__init__()
        self._work = work

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        return pipeline(self._run(data, rank))

    def _run(self, data: Documents, rank: int) -> Generator[Document]:
        assert data is not None
        file = self._work.part(rank)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out, self._work.offsets(rank).open("wb") as offsets:
            at = 0
            for doc in data:
                offsets.write(at.to_bytes(8, "little"))
                record = record_of(doc)
                at += out.write(b"%04x" % source_of(doc))
                at += out.write(dumped(record))
                # For the signatures; nothing else reads it. No cleaned text has a zero.
                doc.text = BETWEEN_PARTS.join(parts(record))
                yield doc


def read_part_line(line: bytes) -> tuple[int, AnyRecord]:
    """The data set's place in the recipe, and the record, of a part's line."""
    return int(line[:4], 16), RECORD.validate_json(line[4:])


class PartReader(PipelineStep):
    """Reads what `PartWriter` wrote in the same rank."""

    type = "medassist"
    name = "read part"

    def __init__(self, work: WorkFolder, stage: str) -> None:
        super().__init__()
        self._work = work
        self._stage = stage

    def run(
        self, data: Documents = None, rank: int = 0, world_size: int = 1
    ) -> Documents:
        return pipeline(self._run(rank))

    def _run(self, rank: int) -> Generator[Document]:
        reporter = Reporter(self._work.progress(self._stage), rank)
        for line in read_lines(self._work.part(rank)):
            source, record = read_part_line(line)
            yield document(record, source)
            reporter.add(1)
        reporter.tell()


class LineWriter:
    """Writes JSON lines into a file of a rank, which is made at the first line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.unlink(missing_ok=True)
        self._out: BinaryIO | None = None

    def write(self, row: object) -> None:
        """Write an object as a line."""
        self.write_bytes(orjson.dumps(row) + b"\n")

    def write_bytes(self, line: bytes) -> None:
        """Write a line that is ready, its end included."""
        if self._out is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._out = self._file.open("wb")
        self._out.write(line)

    def close(self) -> None:
        """All lines are in the file."""
        if self._out is not None:
            self._out.close()
