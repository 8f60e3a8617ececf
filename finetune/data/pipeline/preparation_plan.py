"""The plan of a preparation, the same in each of its processes and nodes."""

from __future__ import annotations

from dataclasses import dataclass

from finetune.data.pipeline.work_folder import OpenedSource, WorkFolder
from finetune.data.recipe import DataPart


@dataclass(frozen=True)
class PreparationPlan:
    """Settings, sources and workers of a preparation."""

    work: WorkFolder
    settings: DataPart
    sources: tuple[OpenedSource, ...]
    fingerprint: str
    """Fingerprint of the inputs: `inputs_hash`."""
    tasks: int
    workers: int
    executor: str
    started: float
    """Seconds since 1970."""
