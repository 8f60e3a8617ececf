"""Runs a whole measurement, and resumes an interrupted one.

    with ResultsFile(file, resume=True) as results:
        for event in run(wishes, targets, results):
            ...

Closing the generator stops it; what was measured is in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

from medassist.bench import app_speed, exam, load, quality, speed, sustained
from medassist.bench.disturbance import Observer
from medassist.bench.errors import BenchError
from medassist.bench.estimate import estimate
from medassist.bench.events import Ended, Event, Planned, StepFailed
from medassist.bench.exam_verdict import in_points
from medassist.bench.machine import Sensors, this_machine
from medassist.bench.results import (
    Figure,
    ResultLine,
    ResultsFile,
    declared_margin,
    key_of,
    now,
)
from medassist.bench.served import OllamaModels
from medassist.bench.targets import Target
from medassist.bench.weight_types import larger_than_promised
from medassist.bench.work import AnyStep, Wishes, Work
from medassist.core.errors import EngineError
from medassist.core.words import plural
from medassist.engine.timing import TimedModel, TimedSettings
from medassist.engine.timing_wire import OpenedTimed
from medassist.exams.margins import items_needed, margin_shown
from medassist.exams.multiple_choice import ExamError
from medassist.exams.question_files import ExamPaper

FLIPS = (0.02, 0.04, 0.10)
"""Shares of changed answers, for what is said of the items before they are put."""
LOW_BATTERY = 10.0


@dataclass(frozen=True)
class _KindOfWork:
    """A kind of measurement: its steps, and who makes them."""

    steps: Sequence[AnyStep]
    measure: Callable[[], Generator[Event]]


def run(
    wishes: Wishes,
    targets: Sequence[Target],
    file: ResultsFile,
    *,
    observer: Observer | None = None,
    sensors: Sensors | None = None,
    served: OllamaModels | None = None,
    agreed: Callable[[Planned], bool] = lambda _planned: True,
) -> Generator[Event]:
    """Measure what is wanted and not yet in `file`.

    Args:
        wishes: what is to be measured.
        targets: the rows.
        file: of the results.
        observer: watches the computer.
        sensors: of the computer.
        served: models of a running Ollama, beside the others.
        agreed: is asked when the plan is known; its `False` ends it.

    Yields:
        what happens; the last one is `Ended`.

    Raises:
        BenchError: no exam can be read, a text is broken, or the file cannot be
            written.
        EngineError: no model can be loaded at all.
    """
    sensors = sensors or Sensors()
    observer = observer or Observer(sensors)
    opened = _probe(wishes, targets)
    machine = this_machine(
        sensors, opened.first.version, opened.first.commit, opened.first.features
    )
    work = Work(wishes, targets, machine, observer, file)
    exams, unlike = _papers(work)
    parts = _parts(work, exams, served)
    steps = [step for part in parts for step in part.steps]
    left = [step for step in steps if not work.done(step)]
    margin = declared_margin(file.lines, wishes.margin)
    work.steps, work.number = len(steps), len(steps) - len(left)
    planned = Planned(
        len(left),
        work.number,
        estimate(left, opened.tok_per_s, opened.bytes, exams, wishes) if left else 0.0,
        (
            *unlike,
            *what_items_show(exams, margin, wishes.margin),
            *larger_than_promised([t.facts for t in targets if t.adapter is None]),
        ),
    )
    yield planned
    if not agreed(planned):
        return
    if left:
        _declare(work)
    failed = False
    for part in parts:
        # Closed at once where this is: its models are not to outlive it.
        with closing(part.measure()) as happening:
            for event in happening:
                failed = failed or isinstance(event, StepFailed)
                yield event
                _require_power(sensors, event)
    keys = {work.key(step) for step in steps}
    found = tuple(line for line in file.lines if line.kind == "run" or line.key in keys)
    yield Ended(found, failed)


def _parts(
    work: Work, exams: Sequence[ExamPaper], served: OllamaModels | None
) -> list[_KindOfWork]:
    tests = work.wishes.tests
    found: list[_KindOfWork] = []
    if "load" in tests:
        found.append(_KindOfWork(load.steps(work), lambda: load.measure(work)))
    if "speed" in tests:
        found.append(_KindOfWork(speed.steps(work), lambda: speed.measure(work)))
    if tests & {"app", "memory"}:
        found.append(
            _KindOfWork(app_speed.steps(work), lambda: app_speed.measure(work))
        )
    if served is not None:
        # After the app, whose words it is asked with.
        found.append(_KindOfWork(served.steps(work), lambda: served.measure(work)))
    if "quality" in tests:
        found.append(_KindOfWork(quality.steps(work), lambda: quality.measure(work)))
    if "exams" in tests:
        found.append(
            _KindOfWork(exam.steps(work, exams), lambda: exam.measure(work, exams))
        )
    if "sustained" in tests:
        # The last one: it leaves the computer warm.
        found.append(
            _KindOfWork(sustained.steps(work), lambda: sustained.measure(work))
        )
    return found


def what_items_show(
    exams: Sequence[ExamPaper], margin: float, wished: float
) -> tuple[str, ...]:
    """Sentences on what these questions can show at the margin, before any is asked.

    Args:
        exams: whose questions are put.
        margin: that counts: the one that was declared first.
        wished: that was asked for this time.
    """
    counts = {paper.title: len(paper.questions) for paper in exams}
    if len(counts) > 1:
        counts["All of them together"] = sum(counts.values())
    found: list[str] = []
    for title, items in counts.items():
        shown = ", ".join(
            f"{100 * flips:g} % flips {100 * margin_shown(items, flips):.1f}"
            for flips in FLIPS
        )
        many = f"{items:,} {plural(items, 'item')}"
        found.append(f"{title}: {many} can show, at {shown} points.")
    if counts:
        needed = ", ".join(
            f"{items_needed(flips, margin):,} at {100 * flips:g} %" for flips in FLIPS
        )
        found.append(
            f"Declared margin: {in_points(margin)}. To show it in four of five "
            f"trials where nothing is lost takes {needed} flips."
        )
    if counts and margin != wished:
        found.append(
            f"A margin of {in_points(margin)} was declared before: it stays, "
            f"in place of {in_points(wished)}."
        )
    return tuple(found)


@dataclass(frozen=True)
class _Probed:
    first: OpenedTimed
    tok_per_s: tuple[float, float]
    """Read and written, of the smallest model."""
    bytes: int


def _probe(wishes: Wishes, targets: Sequence[Target]) -> _Probed:
    """Load the smallest model for a moment: what computes, and how fast about."""
    problem: EngineError | None = None
    for target in sorted(targets, key=lambda t: t.facts.bytes):
        try:
            with TimedModel(
                target.model,
                None,
                TimedSettings(256, wishes.threads[0], gpu_layers=wishes.gpu_layers),
            ) as model:
                read = model.run(prompt=128).ns
                written = model.run(written=8).ns
                return _Probed(
                    model.opened, (128e9 / read, 8e9 / written), target.facts.bytes
                )
        except EngineError as error:
            problem = problem or error
    raise problem or BenchError("There is no model to measure.")


def _papers(work: Work) -> tuple[list[ExamPaper], tuple[str, ...]]:
    if "exams" not in work.wishes.tests:
        return [], ()
    try:
        return exam.papers(work)
    except ExamError as error:
        raise BenchError(str(error)) from None


def _declare(work: Work) -> None:
    """Write the margin down before anything is measured."""
    wishes = work.wishes
    work.file.append(
        ResultLine(
            kind="run",
            run=work.run,
            key=key_of(run=work.run),
            at=now(),
            machine=work.machine.as_json(),
            test={
                "tests": ",".join(sorted(wishes.tests)),
                "threshold": wishes.threshold,
                "reference": wishes.reference.name if wishes.reference else None,
            },
            figures={
                "margin": Figure(value=declared_margin(work.file.lines, wishes.margin))
            },
        )
    )


def _require_power(sensors: Sensors, event: Event) -> None:
    percent = sensors.battery_percent()
    if percent is not None and percent < LOW_BATTERY and not isinstance(event, Ended):
        raise BenchError(
            f"The battery has {percent:g} % left, and a figure of a computer that "
            "saves power says little. Plug it in, and go on with --resume."
        )
