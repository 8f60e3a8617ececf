"""A whole measurement of tiny models, small enough for a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medassist.bench.disturbance import Observer
from medassist.bench.events import Event
from medassist.bench.machine import Sensors
from medassist.bench.results import ResultLine, ResultsFile
from medassist.bench.run import run
from medassist.bench.targets import Target
from medassist.bench.work import Wishes

SMALL = Wishes(
    prompts=(16,), written=(4,), threads=(1,), repetitions=2, ttft=2, chunks=2
)


def measure(
    wishes: Wishes,
    targets: Sequence[Target],
    file: Path,
    *,
    resume: bool = False,
    sensors: Sensors | None = None,
) -> list[Event]:
    """Everything that happens, without waiting for a quiet computer."""
    sensors = sensors or Sensors()
    with ResultsFile(file, resume=resume) as results:
        observer = Observer(sensors, wait_s=0)
        return list(run(wishes, targets, results, observer=observer, sensors=sensors))


def content(line: ResultLine) -> tuple[object, ...]:
    """What of a line must be the same however often it is measured."""
    figures = {
        name: figure.value
        for name, figure in line.figures.items()
        if line.kind in ("quality", "exam")
    }
    return (line.kind, line.key, line.row, repr(line.test), figures, line.items)
