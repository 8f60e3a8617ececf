"""Verdicts on each model's exam results relative to a reference.

Always question by question. A difference is claimed by McNemar's exact test, adjusted
for all models (Holm); "no worse" by the whole interval lying above minus the margin
that was declared, from the largest file down to the first of which it cannot be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from medassist.bench.results import ExamItem, ResultLine, folded
from medassist.exams.margins import MARGIN, in_sequence, items_needed, no_worse
from medassist.exams.statistics import Flips, flips, holm, mcnemar, score_interval

CLEAR_NATS = 0.1
"""A flip of two choices that lie closer than this says nothing of the model."""
ALPHA = 0.05
LEAST_ITEMS = 10
ALL = "all exams"
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
            since it could not be shown of a larger file.
        margin: that was declared.
        ended_at: the larger file of which it could not be shown.
        refused: why it cannot be compared, in a sentence.
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

    @property
    def shown(self) -> str:
        """`better` or `worse`, if that is significant; else empty."""
        if self.flips is None or self.p >= ALPHA:
            return ""
        return "better" if self.flips.difference > 0 else "worse"

    @property
    def said(self) -> str:
        """The verdict in words."""
        if self.flips is None:
            return f"not compared: {self.refused}"
        found, points = self.flips, in_points(self.margin)
        interval = f"{100 * self.low:+.1f} to {100 * self.high:+.1f} points"
        if found.items < LEAST_ITEMS:
            return f"too few items to say ({found.items}; at least {LEAST_ITEMS})"
        if self.shown == "better":
            return f"better, by {interval}"
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
        if line.model is None:
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
    tasks = list(first.answers)
    if len(tasks) > 1:
        tasks.append(ALL)
    found: list[ExamVerdict] = []
    for task in tasks:
        found += _of_task(task, first, others, margin)
    return found


def in_points(share: float) -> str:
    """A share in percentage points: 1 point, 1.5 points."""
    points = round(100 * share, 6)
    return f"{points:g} point{'' if points == 1 else 's'}"


def primary(found: Sequence[ExamVerdict]) -> list[ExamVerdict]:
    """The main verdicts: on all exams together, or on the only one."""
    together = [verdict for verdict in found if verdict.task == ALL]
    return together or list(found)


def _of_task(
    task: str, first: Sat, others: Sequence[Sat], margin: float
) -> list[ExamVerdict]:
    made = [_compared(task, first, row, margin) for row in others]
    whole = [one for one in made if one.flips is not None]
    adjusted = iter(holm([one.p for one in whole]))
    passed = iter(in_sequence([bool(one.no_worse) for one in whole]))
    ended_at = next((one.row for one in whole if not one.no_worse), "")
    return [
        one
        if one.flips is None
        else replace(one, p=next(adjusted), no_worse=next(passed), ended_at=ended_at)
        for one in made
    ]


def _compared(task: str, first: Sat, row: Sat, margin: float) -> ExamVerdict:
    plain = ExamVerdict(task, row.row, first.row, None, margin=margin)
    tasks = list(first.answers) if task == ALL else [task]
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
        no_worse=no_worse(changed, margin),
    )


def _missing(task: str, asked: int, shared: int) -> str:
    return f"of {task} both have answered {shared:,} of {asked:,} questions"
