"""Compares two results: slower, as fast or not decided; worse or not shown.

Speeds are compared where file, adapter, settings and test are the same and the same
computer measured both: what else differs would be taken for a change of the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from medassist.bench.errors import UsageError
from medassist.bench.exam_verdict import ExamVerdict, Sat, primary, sat, verdicts
from medassist.bench.llama_bench import samples_of
from medassist.bench.results import Parameters, ResultLine, folded
from medassist.bench.speed import called
from medassist.exams.timings import THRESHOLD, Change, Ratio, compared


class Code(IntEnum):
    """Exit codes of a comparison."""

    SAME = 0
    FAILED = 1
    USAGE = 2
    WORSE = 4
    NOT_DECIDED = 5


@dataclass(frozen=True)
class SpeedChange:
    """A speed that both results have, compared.

    Attributes:
        row: of the model.
        test: what was measured.
        ratio: of the new one to the old.
        disturbed: one of them was.
    """

    row: str
    test: str
    ratio: Ratio
    disturbed: bool

    @property
    def said(self) -> str:
        """The comparison in words."""
        found = self.ratio
        by = f"{100 * (found.ratio - 1):+.1f} %"
        more = ": more runs" if found.change is Change.NOT_DECIDED else ""
        bounds = (
            f" [{100 * (found.low - 1):+.1f}, {100 * (found.high - 1):+.1f}]"
            if found.low > 0
            else ""
        )
        marked = ", disturbed" if self.disturbed else ""
        return f"{found.change}{more} ({by}{bounds}{marked})"


@dataclass(frozen=True)
class ResultComparison:
    """A result compared with an older one.

    Attributes:
        speeds: that both have.
        answers: of the same exams.
        notes: what could not be compared, and why.
    """

    speeds: tuple[SpeedChange, ...]
    answers: tuple[ExamVerdict, ...]
    notes: tuple[str, ...]

    @property
    def code(self) -> Code:
        """The worst code of all: worse, then not decided, then the same."""
        changes = [one.ratio.change for one in self.speeds]
        if Change.SLOWER in changes or any(v.shown == "worse" for v in self.answers):
            return Code.WORSE
        undecided = Change.NOT_DECIDED in changes or any(
            not v.no_worse and v.shown != "better" for v in primary(self.answers)
        )
        return Code.NOT_DECIDED if undecided else Code.SAME


def compare(
    new: Sequence[ResultLine],
    old: Sequence[ResultLine],
    margin: float,
    threshold: float = THRESHOLD,
) -> ResultComparison:
    """Compare the result `new` with `old`.

    Args:
        new: a result.
        old: another one.
        margin: by how much the share of right answers may fall.
        threshold: by how much a speed may differ and be called the same.

    Raises:
        UsageError: they have nothing in common.
    """
    notes: list[str] = []
    speeds = _speeds(new, old, threshold, notes)
    answers = _answers(new, old, margin, notes)
    if not speeds and not answers:
        raise UsageError(
            "The two results have nothing that could be compared. "
            + (" ".join(notes) or "No file of the one is measured in the other.")
        )
    return ResultComparison(tuple(speeds), tuple(answers), tuple(notes))


def _speeds(
    new: Sequence[ResultLine],
    old: Sequence[ResultLine],
    threshold: float,
    notes: list[str],
) -> list[SpeedChange]:
    before = {_mark(line): line for line in folded(old) if line.kind in _NAMES}
    found: list[SpeedChange] = []
    for line in folded(new):
        other = before.get(_mark(line)) if line.kind in _NAMES else None
        if other is None:
            continue
        if other.machine.get("id") != line.machine.get("id"):
            note = (
                "Their speeds are not compared: they were measured on another computer "
                "or with another build of llama.cpp."
            )
            notes += [note] if note not in notes else []
            if not _same_computer(line, other):
                continue
        for name, ours, theirs in _series(line, other):
            found.append(
                SpeedChange(
                    line.row,
                    name,
                    compared(ours, theirs, threshold=threshold),
                    line.disturbance.disturbed or other.disturbance.disturbed,
                )
            )
    return found


_NAMES = ("speed", "app")


def _same_computer(one: ResultLine, other: ResultLine) -> bool:
    """Only the build differs: that is what such a comparison is for."""
    return all(
        one.machine.get(name) == other.machine.get(name)
        for name in ("cpu", "cores", "threads", "memory")
    )


def _series(
    new: ResultLine, old: ResultLine
) -> list[tuple[str, Sequence[float], Sequence[float]]]:
    """Series that both have measured, as figures of which more is better."""
    if new.kind == "speed":
        return [(called(new.test), samples_of(new)[1], samples_of(old)[1])]
    found: list[tuple[str, Sequence[float], Sequence[float]]] = []
    for name, ours in new.samples.items():
        theirs = old.samples.get(name)
        if not theirs or min(*ours, *theirs) <= 0:
            continue
        title = f"{new.test.get('panes')}: {name}"
        if name.startswith("tok_per_s"):
            found.append((f"app, {title}", ours, theirs))
        elif name.startswith("ttft_s"):
            # The less the better: of seconds the inverse is compared.
            found.append(
                (f"app, {title}", [1 / v for v in ours], [1 / v for v in theirs])
            )
    return found


def _mark(line: ResultLine) -> tuple[str, ...]:
    test: Parameters = dict(sorted(line.test.items()))
    settings = line.settings.model_dump_json() if line.settings else ""
    return (
        line.kind,
        line.model.sha256 if line.model else "",
        line.adapter.sha256 if line.adapter else "",
        settings,
        repr(test),
    )


def _answers(
    new: Sequence[ResultLine],
    old: Sequence[ResultLine],
    margin: float,
    notes: list[str],
) -> list[ExamVerdict]:
    before = {row.sha256: row for row in sat(old)}
    by_name = {row.row: row for row in before.values()}
    found: list[ExamVerdict] = []
    for row in sat(new):
        other = before.get(row.sha256)
        if other is None and row.row in by_name:
            other = by_name[row.row]
            notes.append(
                f"{row.row} has another content than in the older result: its answers "
                "are compared, its speeds are not."
            )
        if other is not None:
            older = Sat(
                f"{other.row} before", f"{other.sha256} before", 0, other.answers
            )
            found += verdicts([row, older], older.sha256, margin)
    return found
