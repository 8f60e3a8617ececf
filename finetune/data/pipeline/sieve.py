"""Runs a step of `finetune/data/steps` in the pipeline, counting and listing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from finetune.data.pipeline.counts import Counts
from finetune.data.pipeline.datatrove_documents import (
    RECORD_KEY,
    Documents,
    LineWriter,
    pipeline,
    record_of,
)
from finetune.data.pipeline.work_folder import WorkFolder
from finetune.data.steps.licences import LicenceStep
from finetune.data.steps.step_result import AnyRecord, Dropped, StepResult


class NamedStep(Protocol):
    """Protocol of a step with a name."""

    @property
    def name(self) -> str: ...

    def __call__(self, record: AnyRecord) -> StepResult: ...


class Sieve(PipelineStep):
    """Applies a step to each record."""

    type = "medassist"

    def __init__(self, work: WorkFolder, step: NamedStep, counts: Counts) -> None:
        self.name = step.name
        super().__init__()
        self._work = work
        self._step = step
        self._counts = counts

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        return pipeline(self._run(data, rank))

    def _run(self, data: Documents, rank: int) -> Generator[Document]:
        assert data is not None
        name = self._step.name
        self._counts.step(name)  # also where nothing comes
        dropped = LineWriter(self._work.dropped(name, rank))
        found = LineWriter(self._work.listed(name, rank))
        for doc in data:
            record = record_of(doc)
            verdict = self._verdict(record)
            self._counts.judged(name, verdict)
            if isinstance(verdict, Dropped):
                dropped.write(dropped_row(record, verdict.reason, verdict.detail))
                continue
            for each in verdict.found:
                found.write(
                    {
                        "source": record.source,
                        "id": record.id,
                        "group": record.group,
                        "rule": each.rule,
                        "where": each.where,
                    }
                )
            doc.metadata[RECORD_KEY] = verdict.record
            yield doc
        dropped.close()
        found.close()
        self._after()

    def _verdict(self, record: AnyRecord) -> StepResult:
        """Verdict of a step; some steps note more than what they took out."""
        return self._step(record)

    def _after(self) -> None:
        """At the end of a rank."""


class LicenceSieve(Sieve):
    """Applies the licence step and writes down each decision."""

    def __init__(self, work: WorkFolder, step: LicenceStep, counts: Counts) -> None:
        super().__init__(work, step, counts)
        self._licences = step
        self._written: tuple[str, ...] = ()
        self._list: LineWriter | None = None

    def _run(self, data: Documents, rank: int) -> Generator[Document]:
        self._list = LineWriter(self._work.listed("licences", rank))
        yield from super()._run(data, rank)

    def _verdict(self, record: AnyRecord) -> StepResult:
        decision = self._licences.decide(record)
        self._counts.decided(record, decision)
        licence = record.licence
        row = (record.source, record.group, *licence.model_dump().values())
        # The records of a document follow each other, and mostly have one licence.
        if row != self._written and self._list is not None:
            self._written = row
            self._list.write(
                {
                    "source": record.source,
                    "document": record.group,
                    "licence": licence.name,
                    "evidence": licence.evidence,
                    "used": decision.used,
                    "why": decision.why,
                }
            )
        return decision.verdict(record)

    def _after(self) -> None:
        if self._list is not None:
            self._list.close()


class CountsWriter(PipelineStep):
    """Last step of a stage: writes the counts of the rank."""

    type = "medassist"
    name = "counts"

    def __init__(self, work: WorkFolder, stage: str, counts: Counts) -> None:
        super().__init__()
        self._work = work
        self._stage = stage
        self._counts = counts

    def run(self, data: Documents, rank: int = 0, world_size: int = 1) -> Documents:
        if data is not None:
            for _ in data:
                pass
        self._counts.write(self._work.counts(self._stage) / f"{rank:05d}.json")
        return pipeline(())


def dropped_row(record: AnyRecord, reason: str, detail: str) -> dict[str, str]:
    """A line of a list of what was taken out."""
    return {
        "source": record.source,
        "id": record.id,
        "group": record.group,
        "reason": reason,
        "detail": detail,
    }
