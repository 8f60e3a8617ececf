"""Section on results: base against tuned, with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from finetune.evaluate.result import Comparison, Evaluation, KindLoss
from finetune.report.sections.exams import exam_bars, exam_subjects, exam_table
from finetune.report.wording import (
    IGNORANT,
    KINDS,
    METRICS,
    capital,
    claim,
    counted,
    difference,
    figure,
    interval,
    level,
    listed,
    metric_of,
    number,
    short_verdict,
    subject,
)
from medassist.exams.statistics import LEAST_GROUPS, Outcome
from medassist.report.elements import (
    Column,
    Interval,
    Intervals,
    Items,
    Part,
    Role,
    Section,
    Table,
    Text,
)

HEADLINES = ("nll", "acc")  # one figure a subject: the others say much the same
MOST_HEADLINES = 4


def titles(evaluation: Evaluation) -> dict[str, str]:
    """Titles of the subjects of comparisons; exams have their own."""
    return {exam.task: exam.title or exam.task for exam in evaluation.exams}


def lead(evaluation: Evaluation) -> tuple[str, ...]:
    """Sentences on the results, each claim with its n and interval."""
    named = titles(evaluation)
    main = [c for c in evaluation.comparisons if c.metric in HEADLINES]
    chosen = main or list(evaluation.comparisons)
    if len(chosen) <= MOST_HEADLINES:
        return tuple(claim(comparison, named) for comparison in chosen)
    return (tally(evaluation), claim(chosen[0], named))


def tally(evaluation: Evaluation) -> str:
    """Counts the outcomes of the comparisons; the worse ones by name."""
    better = evaluation.with_outcome(Outcome.BETTER)
    worse = evaluation.with_outcome(Outcome.WORSE)
    few = evaluation.with_outcome(Outcome.TOO_FEW)
    others = evaluation.with_outcome(Outcome.NOT_SHOWN)
    untold = evaluation.with_outcome(Outcome.CANNOT_TELL)
    named = titles(evaluation)
    said = [
        f"Of {counted(len(evaluation.comparisons), 'comparison')}, the tuned model is "
        f"better in {len(better)} and worse in {len(worse)}; in {len(others)} no "
        "difference was shown."
    ]
    if few:
        said.append(
            f"{counted(len(few), 'comparison')} had too few items or documents to say."
        )
    if untold:
        said.append(f"{counted(len(untold), 'comparison')} cannot tell: {IGNORANT}.")
    if worse:
        names = [f"{subject(c, named)} ({metric_of(c.metric).name})" for c in worse]
        said.append(f"Worse in: {listed(names)}.")
    return " ".join(said)


def results(evaluation: Evaluation) -> Section:
    """The section: every comparison, with n, interval and verdict."""
    named = titles(evaluation)
    data = evaluation.data
    parts: list[Part] = [
        Text(
            f"Both models were given the same held-out items of the split "
            f"“{data.split}”, which was not trained on: "
            f"{counted(data.records, 'record')} of "
            f"{counted(data.groups, 'document or patient', 'documents or patients')}, "
            f"{_scored(evaluation)}. The tuned model is "
            "the base with the adapter laid on it. What the base read before, this run "
            "does not know."
        ),
        *([Text(data.note, tone="warning")] if data.note else []),
        Text(tally(evaluation)),
        _comparisons(evaluation, named),
    ]
    if data.not_read or data.unscored:
        parts.append(
            Text(
                f"{data.not_read:,} records of the split were left out by a limit, and "
                f"{data.unscored:,} could not be scored.",
                tone="warning",
            )
        )
    parts += _intervals(evaluation, named)
    if evaluation.losses:
        parts.append(_losses(evaluation.losses))
    if evaluation.exams:
        parts += [exam_bars(evaluation), exam_table(evaluation)]
        parts += [exam_subjects(exam) for exam in evaluation.exams if exam.subjects]
    used = {c.metric for c in evaluation.comparisons}
    about = [m.about for name, m in METRICS.items() if name in used]
    parts.append(Items(tuple(about), on_slides=False))
    parts.append(Text(_method(evaluation), on_slides=False))
    return Section(
        "results",
        "Base against tuned",
        tuple(parts),
        notes="Every claim stands on an interval: where it holds zero, nothing is "
        "claimed. " + " ".join(claim(c, named) for c in evaluation.comparisons[:4]),
    )


def _scored(evaluation: Evaluation) -> str:
    if not evaluation.losses:  # of an endpoint, which gives answers alone
        return f"{counted(len(evaluation.answers), 'question')} answered"
    return f"{counted(evaluation.data.tokens, 'token')} scored"


def _comparisons(evaluation: Evaluation, named: dict[str, str]) -> Table:
    rows: list[tuple[str, ...]] = []
    for c in evaluation.comparisons:
        metric = metric_of(c.metric)
        rows.append(
            (
                f"{capital(subject(c, named))}: {metric.name}",
                f"{c.n:,}",
                figure(c.base, metric),
                figure(c.tuned, metric),
                difference(c),
                interval(c),
                short_verdict(c),
            )
        )
    levels = sorted({level(c) for c in evaluation.comparisons})
    return Table(
        "Every comparison",
        (
            Column("What was compared"),
            Column("n", figures=True),
            Column("Base", figures=True),
            Column("Tuned", figures=True),
            Column("Difference", figures=True),
            Column(f"{listed(levels) or '95 %'} interval", figures=True),
            Column("Tuned is"),
        ),
        tuple(rows),
    )


def _intervals(evaluation: Evaluation, named: dict[str, str]) -> list[Part]:
    losses = [c for c in evaluation.comparisons if metric_of(c.metric).factor == 1]
    shares = [c for c in evaluation.comparisons if metric_of(c.metric).factor != 1]
    charts: list[Part] = []
    if losses:
        charts.append(
            _forest(
                losses,
                named,
                "Loss: tuned less base",
                "Difference in nats per token or bits per byte (less is better)",
                left="tuned better",
                right="base better",
            )
        )
    if shares:
        charts.append(
            _forest(
                shares,
                named,
                "Right answers and overlap: tuned less base",
                "Difference in points of 100 (more is better)",
                left="base better",
                right="tuned better",
            )
        )
    return charts


def _forest(
    comparisons: list[Comparison],
    named: dict[str, str],
    title: str,
    x_label: str,
    *,
    left: str,
    right: str,
) -> Intervals:
    rows = tuple(
        Interval(
            f"{capital(subject(c, named))}: {metric_of(c.metric).name}",
            c.difference * metric_of(c.metric).factor,
            c.interval.low * metric_of(c.metric).factor,
            c.interval.high * metric_of(c.metric).factor,
            said=short_verdict(c),
            role=_role(c),
        )
        for c in comparisons
    )
    crossed = "An interval that crosses the line shows no difference."
    if any(c.outcome is Outcome.TOO_FEW for c in comparisons):
        crossed += (
            f" Of fewer than {LEAST_GROUPS} items or documents nothing is said: their "
            "intervals are too narrow."
        )
    told = "Each mark is the difference of tuned less base on the same items, with its "
    told += f"{level(comparisons[0])} interval: " + "; ".join(
        f"{row.label} {difference(c)} ({interval(c)})"
        for row, c in zip(rows, comparisons, strict=True)
    )
    return Intervals(
        title,
        x_label,
        rows,
        told + ".",
        left=left,
        right=right,
        note=crossed,
    )


def _role(comparison: Comparison) -> Role:
    """Whose colour a difference has: that of the better one."""
    match comparison.outcome:
        case Outcome.BETTER:
            return "tuned"
        case Outcome.WORSE:
            return "base"
        case _:
            return "neutral"


def _losses(losses: tuple[KindLoss, ...]) -> Table:
    rows: list[tuple[str, ...]] = []
    for loss in losses:
        what = capital(KINDS[loss.kind])
        n = (f"{loss.records:,}", f"{loss.tokens:,}")
        for name, read in _LOSS_ROWS:
            values = (read(loss, "base"), read(loss, "tuned"))
            rows.append((f"{what}: {name}", *n, *values))
    return Table(
        "Losses on the held-out data",
        (
            Column("Figure"),
            Column("Records", figures=True),
            Column("Tokens", figures=True),
            Column("Base", figures=True),
            Column("Tuned", figures=True),
        ),
        tuple(rows),
        note="The sum over all tokens by their number, not a mean of means. Perplexity "
        "is the exponential of the loss.",
        on_slides=False,
    )


def _loss_row(name: str) -> Callable[[KindLoss, str], str]:
    def read(loss: KindLoss, side: str) -> str:
        of = loss.base if side == "base" else loss.tuned
        if name == "perplexity":
            return number(of.perplexity, 2)
        return figure(getattr(of, name), metric_of(name))

    return read


_LOSS_ROWS = (
    ("loss (nats per token)", _loss_row("nll")),
    ("perplexity", _loss_row("perplexity")),
    ("bits per byte", _loss_row("bits_per_byte")),
    ("token accuracy", _loss_row("token_accuracy")),
)


def _method(evaluation: Evaluation) -> str:
    if not evaluation.comparisons:
        return "Nothing was compared."
    settings = evaluation.settings
    return (
        f"Intervals of the paired difference: {_methods(evaluation.comparisons)}. "
        "A comparison is called better or worse "
        "only where its interval excludes zero, and never of fewer than "
        f"{LEAST_GROUPS} documents or questions. The intervals are not adjusted for "
        "their number: of twenty, one is expected to miss. Both models were read with "
        f"{settings.dtype}, at most {settings.context:,} tokens at a time, on "
        f"{evaluation.hardware}."
    )


def _methods(comparisons: Sequence[Comparison]) -> str:
    """By which methods the intervals were found."""
    drawn = [c.interval for c in comparisons if c.interval.method == "bootstrap"]
    parts: list[str] = []
    if drawn:
        parts.append(
            f"bootstrap, {drawn[0].draws:,} draws with seed {drawn[0].seed}, over "
            "documents or patients, so that records of one document do not count as "
            "independent"
        )
    if len(drawn) < len(comparisons):
        parts.append("of exams, Tango's score interval over the questions")
    return "; ".join(parts)
