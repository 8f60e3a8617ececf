"""Verdicts on each model's exam results relative to a reference.

Always question by question. A difference is claimed by McNemar's exact test, adjusted
for all models (Holm); "no worse" by the whole interval lying above minus the margin
that was declared, from the largest file down to the first of which it cannot be shown.

Nothing of it is said of an exam in which the reference is not shown to know more than
one fixed answer to every question: there answers come and go with a leaning, and where
all models keep to one letter none ever changes. Only a model that itself is shown to
know more may be called better then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from medassist.bench.results import ExamItem, ResultLine, folded
from medassist.exams.fixed_answer import BesideFixed, beside_fixed, known
from medassist.exams.margins import MARGIN, in_sequence, items_needed, no_worse
from medassist.exams.statistics import (
    ALPHA,
    Flips,
    flips,
    holm,
    mcnemar,
    score_interval,
)

CLEAR_NATS = 0.1
"""A flip of two choices that lie closer than this says nothing of the model."""
LEAST_ITEMS = 10
ALL = "all exams"
IGNORANT = "the reference is not shown to know more"
Answers = Mapping[str, Mapping[str, ExamItem]]
"""By task, the answers by the question's id."""


@dataclass(frozen=True)
class Sat:
    """Exam answers of one row.

    Attributes:
        row: how it is called.
        sha256: of the model, and of the adapter behind it.
        bytes: of the model's file.
        answers: by task.
    """

    row: str
    sha256: str
    bytes: int
    answers: Answers

    def beside_fixed(self) -> dict[str, BesideFixed]:
        """Its right answers beside those of the best fixed answer, by task."""
        return {
            task: beside_fixed(
                [item.gold for item in own.values()],
                [item.choice for item in own.values()],
            )
            for task, own in self.answers.items()
            if own
        }


@dataclass(frozen=True)
class ExamVerdict:
    """Verdict on a row against the reference, in one exam or in all.

    Attributes:
        task: of the exam; `ALL` for all together.
        row: of the model.
        reference: the row that it is compared with.
        flips: the answers that changed; `None` where it cannot be compared.
        clear: of the flips, those that are no near-tie in either model.
        low: of the interval of the difference.
        high: of the interval.
        p: of McNemar's test, adjusted by Holm for all rows of the exam.
        no_worse: shown to be no worse by more than the margin; `None`: not tested,
            since it could not be shown of a larger file or the exam cannot tell.
        margin: that was declared.
        ended_at: the larger file of which it could not be shown.
        refused: why it cannot be compared, in a sentence.
        ignorant: why the reference counts as one that knows nothing of the exam, in a
            sentence; empty where it is shown to know more than a fixed answer.
        knows: of the model that it is shown to know more than a fixed answer.
        left_out: of all exams, the tasks that cannot tell and are not counted.
    """

    task: str
    row: str
    reference: str
    flips: Flips | None
    clear: int = 0
    low: float = 0.0
    high: float = 0.0
    p: float = 1.0
    no_worse: bool | None = False
    margin: float = MARGIN
    ended_at: str = ""
    refused: str = ""
    ignorant: str = ""
    knows: bool = True
    left_out: tuple[str, ...] = ()

    @property
    def too_few(self) -> bool:
        """Whether there are too few items to say anything."""
        return self.flips is not None and self.flips.items < LEAST_ITEMS

    @property
    def shown(self) -> str:
        """`better` or `worse`, if that is significant and the exam can tell."""
        if self.flips is None or self.too_few or self.p >= ALPHA:
            return ""
        if self.flips.difference > 0:
            return "better" if self.knows else ""
        return "" if self.ignorant else "worse"

    @property
    def can_claim(self) -> bool:
        """Whether a difference could be claimed, of enough questions."""
        return self.knows or not self.ignorant

    @property
    def cannot_tell(self) -> bool:
        """Whether nothing can be said, however many questions were put."""
        compared = self.flips is not None and not self.too_few
        return compared and bool(self.ignorant) and not self.shown

    @property
    def said(self) -> str:
        """The verdict in words."""
        if self.flips is None:
            return f"not compared: {self.refused}"
        found, points = self.flips, in_points(self.margin)
        interval = f"{100 * self.low:+.1f} to {100 * self.high:+.1f} points"
        if self.too_few:
            return f"too few items to say ({found.items}; at least {LEAST_ITEMS})"
        if self.shown == "better":
            return f"better, by {interval}"
        if self.ignorant:
            return f"cannot tell: {self.ignorant}"
        if self.no_worse:
            but = "worse, but " if self.shown else ""
            return f"{but}no worse by more than {points} ({interval})"
        if self.shown:
            return f"worse, by {interval}"
        if self.no_worse is None:
            return (
                f"not tested: {self.ended_at}, which is larger, could not be shown to "
                f"be no worse ({interval})"
            )
        share = max(found.changed, 1) / found.items
        needed = items_needed(share, self.margin)
        more = f"; about {needed:,} items would be needed" if needed else ""
        return f"not decided: {found.items:,} items leave {interval}{more}"


def sat(lines: Iterable[ResultLine]) -> list[Sat]:
    """Exam answers by row, in the order of the lines."""
    found: dict[str, Sat] = {}
    for line in folded(line for line in lines if line.kind == "exam"):
        if line.model is None or not line.items:
            continue
        mark = line.model.sha256 + (line.adapter.sha256 if line.adapter else "")
        before = found.get(mark) or Sat(line.row, mark, line.model.bytes, {})
        own = {item.id: item for item in line.items}
        task = str(line.test.get("task"))
        found[mark] = replace(before, answers={**before.answers, task: own})
    return list(found.values())


def verdicts(
    rows: Sequence[Sat], reference: str | None = None, margin: float = MARGIN
) -> list[ExamVerdict]:
    """Verdicts on every row but the reference, exam by exam and in all.

    Args:
        rows: that have sat the exams.
        reference: the sha256 of the reference's row; by default it is the one with
            the largest file.
        margin: by how much the share of right answers may fall, as it was declared.
    """
    if len(rows) < 2:
        return []
    ordered = sorted(rows, key=lambda row: -row.bytes)
    first = next((r for r in ordered if r.sha256 == reference), ordered[0])
    others = [row for row in ordered if row is not first]
    own = _Exams(first, margin)
    tasks = list(first.answers)
    if len(tasks) > 1:
        tasks.append(ALL)
    return [one for task in tasks for one in own.verdicts(task, others)]


def fixed_shares(rows: Sequence[Sat]) -> dict[str, float]:
    """By task, the share of right answers that the best fixed answer has."""
    found: dict[str, float] = {}
    for row in rows:
        for task, own in row.beside_fixed().items():
            found.setdefault(task, own.fixed)
    return found


def in_points(share: float) -> str:
    """A share in percentage points: 1 point, 1.5 points."""
    points = round(100 * share, 6)
    return f"{points:g} point{'' if points == 1 else 's'}"


def primary(found: Sequence[ExamVerdict]) -> list[ExamVerdict]:
    """The main verdicts: on all exams together, or on the only one."""
    together = [verdict for verdict in found if verdict.task == ALL]
    return together or list(found)


def _known(beside: Mapping[str, BesideFixed]) -> frozenset[str]:
    """The tasks of which a model is shown to know more than a fixed answer."""
    told = zip(beside, known(list(beside.values())), strict=True)
    return frozenset(task for task, knows in told if knows)


class _Exams:
    """The exams that a reference has sat, and what others are beside it."""

    def __init__(self, reference: Sat, margin: float) -> None:
        self._reference = reference
        self._margin = margin
        self._beside = reference.beside_fixed()
        self._known = _known(self._beside)

    def verdicts(self, task: str, rows: Sequence[Sat]) -> list[ExamVerdict]:
        """The verdicts on `rows` in a task, or in all."""
        made = [self._compared(task, row) for row in rows]
        tested = [one.flips is not None and one.can_claim for one in made]
        adjusted = iter(holm([one.p for one in compress(made, tested)]))
        made = [
            replace(one, p=next(adjusted)) if counts else one
            for one, counts in zip(made, tested, strict=True)
        ]
        ordered = [one.flips is not None and not one.ignorant for one in made]
        shown = [bool(one.no_worse) for one in compress(made, ordered)]
        passed = iter(in_sequence(shown))
        failed = (one.row for one in compress(made, ordered) if not one.no_worse)
        ended_at = next(failed, "")
        return [
            replace(one, no_worse=next(passed), ended_at=ended_at) if counts else one
            for one, counts in zip(made, ordered, strict=True)
        ]

    def _compared(self, task: str, row: Sat) -> ExamVerdict:
        first, knows = self._reference, _known(row.beside_fixed())
        tasks = self._counted(task, knows)
        plain = ExamVerdict(
            task,
            row.row,
            first.row,
            None,
            margin=self._margin,
            ignorant=self._ignorant(task, tasks),
            knows=bool(knows.intersection(tasks)),
            left_out=tuple(one for one in first.answers if one not in tasks)
            if task == ALL
            else (),
        )
        pairs: list[tuple[ExamItem, ExamItem]] = []
        for one in tasks:
            base, own = first.answers[one], row.answers.get(one, {})
            shared = [key for key in base if key in own]
            if len(shared) < len(base) or len(own) > len(shared):
                return replace(plain, refused=_missing(one, len(base), len(shared)))
            other = sum(base[key].tokens != own[key].tokens for key in shared)
            if other:
                return replace(
                    plain,
                    refused=f"{other:,} of {len(shared):,} questions of {one} were put "
                    "with other token ids",
                )
            pairs += [(base[key], own[key]) for key in shared]
        return _judged(plain, pairs)

    def _counted(self, task: str, knows: frozenset[str]) -> list[str]:
        """The tasks that a verdict is on: of all exams those that can tell.

        An exam of which nobody knows anything has no changes to show and would make
        the others look surer than they are.
        """
        if task != ALL:
            return [task]
        whole = list(self._reference.answers)
        for told in (self._known, knows):
            if own := [one for one in whole if one in told]:
                return own
        return whole

    def _ignorant(self, task: str, counted: Sequence[str]) -> str:
        if self._known.intersection(counted):
            return ""
        if task == ALL:
            return f"{IGNORANT} of any exam than one fixed answer"
        own = self._beside[task]
        return (
            f"{IGNORANT} than one fixed answer ({100 * own.own:.1f} % right, against "
            f"{100 * own.fixed:.1f} %)"
        )


def _judged(
    plain: ExamVerdict, pairs: Sequence[tuple[ExamItem, ExamItem]]
) -> ExamVerdict:
    changed = flips(
        [a.choice == a.gold for a, _ in pairs], [b.choice == b.gold for _, b in pairs]
    )
    low, high = score_interval(changed)
    clear = sum(
        (a.choice == a.gold) != (b.choice == b.gold)
        and min(a.margin, b.margin) > CLEAR_NATS
        for a, b in pairs
    )
    return replace(
        plain,
        flips=changed,
        clear=clear,
        low=low,
        high=high,
        p=mcnemar(changed),
        no_worse=None if plain.ignorant else no_worse(changed, plain.margin),
    )


def _missing(task: str, asked: int, shared: int) -> str:
    return f"of {task} both have answered {shared:,} of {asked:,} questions"
