"""Section on what became worse: comparisons, questions, records."""

from __future__ import annotations

from finetune.evaluate.result import Comparison, Evaluation
from finetune.report.sections.results import titles
from finetune.report.wording import (
    IGNORANT,
    capital,
    claim,
    counted,
    difference,
    interval,
    level,
    metric_of,
    number,
    subject,
)
from medassist.exams.statistics import LEAST_GROUPS, Outcome
from medassist.report.elements import (
    Column,
    Items,
    Part,
    Section,
    Table,
    Text,
)


def worse(evaluation: Evaluation) -> Section:
    """The section: what became worse, and which questions turned wrong."""
    named = titles(evaluation)
    found = list(evaluation.with_outcome(Outcome.WORSE))
    few = evaluation.with_outcome(Outcome.TOO_FEW)
    untold = evaluation.with_outcome(Outcome.CANNOT_TELL)
    enough = len(evaluation.comparisons) - len(few) - len(untold)
    parts: list[Part] = []
    if found:
        parts.append(Items(tuple(claim(c, named) for c in found)))
    elif enough:
        of = " that can tell" if few or untold else ""
        parts.append(
            Text(
                f"In none of the {counted(enough, 'comparison')}{of} "
                "is the tuned model worse by an interval that excludes zero. That does "
                "not show that nothing became worse: an effect smaller than the "
                "intervals are wide would not be seen."
            )
        )
    if few:
        parts.append(
            Text(
                f"Nothing is said of {counted(len(few), 'comparison')} on fewer than "
                f"{LEAST_GROUPS} items or documents, wherever the interval lies."
            )
        )
    if untold:
        parts.append(
            Text(
                f"Nothing is said of {counted(len(untold), 'comparison')} of exams, "
                f"either: {IGNORANT}."
            )
        )
    # Towards worse, but not shown: a reader who decides wants to see them too.
    leaning = [
        c
        for c in evaluation.comparisons
        if c.outcome in (Outcome.NOT_SHOWN, Outcome.TOO_FEW)
        and c.difference != 0
        and (c.difference < 0) == c.higher_is_better
    ]
    if leaning:
        names = [
            f"{capital(subject(c, named))}, {metric_of(c.metric).name}: "
            f"{difference(c)} ({level(c)} interval {interval(c)}, n = {c.n:,})"
            for c in leaning
        ]
        parts.append(Text("Worse on these items, but not shown beyond them:"))
        parts.append(Items(tuple(names)))
    flips = [c for c in evaluation.comparisons if c.flips is not None]
    if flips:
        parts.append(_flips(flips, named))
    lost = _worst_records(evaluation)
    if lost is not None:
        parts.append(lost)
    return Section("worse", "What became worse", tuple(parts))


def _flips(comparisons: list[Comparison], named: dict[str, str]) -> Table:
    rows: list[tuple[str, ...]] = []
    for c in comparisons:
        flips = c.flips
        if flips is None:
            continue
        rows.append(
            (
                f"{capital(subject(c, named))}: {metric_of(c.metric).name}",
                f"{c.n:,}",
                f"{flips.right_to_wrong:,}",
                f"{flips.wrong_to_right:,}",
                f"{flips.both_right:,}",
                f"{flips.both_wrong:,}",
            )
        )
    return Table(
        "Questions that changed sides",
        (
            Column("Exam"),
            Column("n", figures=True),
            Column("Right to wrong", figures=True),
            Column("Wrong to right", figures=True),
            Column("Both right", figures=True),
            Column("Both wrong", figures=True),
        ),
        tuple(rows),
        note="A model can gain more questions than it loses and still lose some that "
        "matter; evaluation.json names each.",
    )


def _worst_records(evaluation: Evaluation) -> Table | None:
    """The held-out records on which the tuned model lost most against the base."""
    by_source: dict[str, list[float]] = {}
    for item in evaluation.items:
        if item.tokens:
            change = (item.tuned_nll - item.base_nll) / item.tokens
            by_source.setdefault(item.source, []).append(change)
    if not by_source:
        return None
    rows = [
        (
            source,
            f"{len(changes):,}",
            f"{sum(change > 0 for change in changes):,}",
            number(100 * sum(change > 0 for change in changes) / len(changes), 1)
            + " %",
        )
        for source, changes in sorted(by_source.items())
    ]
    return Table(
        "Held-out records on which the loss rose",
        (
            Column("Source"),
            Column("Records", figures=True),
            Column("Loss rose on", figures=True),
            Column("Share", figures=True),
        ),
        tuple(rows),
        on_slides=False,
    )
