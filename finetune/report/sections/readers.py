"""Section on clinicians' verdicts."""

from __future__ import annotations

from finetune.report.verdicts import OUTCOMES, ExportedVerdicts, Outcome
from finetune.report.wording import capital, counted, number, probability
from medassist.exams.sign_test import SignTest, sign_test
from medassist.report.elements import (
    Bar,
    BarGroup,
    Bars,
    Column,
    Interval,
    Intervals,
    Part,
    Section,
    Table,
    Text,
)

MOST_REASONS = 5
OUTCOME_NAMES: dict[Outcome, str] = {
    "tuned": "Tuned preferred",
    "base": "Base preferred",
    "tie": "Tie",
    "both poor": "Both poor",
}


def readers(verdicts: ExportedVerdicts) -> Section:
    """The section."""
    test = sign_test(verdicts.count("tuned"), verdicts.count("base"))
    count = len(verdicts.verdicts)
    first, last = _period(verdicts)
    when = f"on {first}" if first == last else f"from {first} to {last}"
    on_a = sum(verdict.tuned_on_a for verdict in verdicts.verdicts)
    parts: list[Part] = [
        Text(verdict_claim(test, count)),
        _counts(verdicts),
        _bars(verdicts),
    ]
    if test.share is not None:
        parts.append(_interval(test))
    reasons = _reasons(verdicts)
    if reasons is not None:
        parts.append(reasons)
    parts.append(
        Text(
            f"{counted(count, 'verdict')} in "
            f"{counted(verdicts.consultations, 'consultation')} {when} on the pair "
            f"“{verdicts.pair}”. The tuned model was on side A in {on_a:,} of them. "
            + (
                f"{verdicts.others:,} verdicts on other pairs in the export were left "
                "out. "
                if verdicts.others
                else ""
            )
            + "The interval takes every verdict for independent; those of one "
            "consultation are not quite, so it is rather too narrow.",
            tone="small",
            on_slides=False,
        )
    )
    return Section(
        "verdicts",
        "The clinicians' verdicts",
        tuple(parts),
        notes="Ties and answers that were both poor say nothing on which is better, "
        "and are left out of the test; they do say how good both are.",
    )


def verdict_claim(test: SignTest, count: int) -> str:
    """The conclusion from the verdicts, with n and interval."""
    decided = test.wins + test.losses
    if test.share is None:
        return (
            f"In none of {counted(count, 'verdict')} was one answer preferred: no "
            "difference shown."
        )
    figures = (
        f"in {test.wins:,} of the {decided:,} verdicts that preferred one "
        f"({number(100 * test.share, 1)} %, {100 * test.level:g} % interval "
        f"{number(100 * test.low, 1)} to {number(100 * test.high, 1)} %; n = {count:,} "
        f"with ties; exact sign test p {_p(test.p)})"
    )
    if test.low > 0.5:
        return f"Clinicians preferred the tuned model {figures}."
    if test.high < 0.5:
        return f"Clinicians preferred the base: the tuned model was chosen {figures}."
    return f"No difference shown: the tuned model was preferred {figures}."


def _p(value: float) -> str:
    written = probability(value)
    return written if written.startswith("<") else f"= {written}"


def _period(verdicts: ExportedVerdicts) -> tuple[str, str]:
    days = sorted(verdict.when.date().isoformat() for verdict in verdicts.verdicts)
    return days[0], days[-1]


def _counts(verdicts: ExportedVerdicts) -> Table:
    count = len(verdicts.verdicts)
    return Table(
        "Verdicts",
        (
            Column("Verdict"),
            Column("Number", figures=True),
            Column("Share", figures=True),
        ),
        tuple(
            (
                OUTCOME_NAMES[outcome],
                f"{verdicts.count(outcome):,}",
                f"{number(100 * verdicts.count(outcome) / count, 1)} %",
            )
            for outcome in OUTCOMES
        ),
        on_slides=False,
    )


def _bars(verdicts: ExportedVerdicts) -> Bars:
    told = ", ".join(
        f"{OUTCOME_NAMES[outcome].lower()} {verdicts.count(outcome):,}"
        for outcome in OUTCOMES
    )
    return Bars(
        "What clinicians preferred",
        "Verdicts",
        (("Verdicts", "neutral"),),
        tuple(
            BarGroup(
                OUTCOME_NAMES[outcome],
                (
                    Bar(
                        outcome if outcome in ("tuned", "base") else "neutral",
                        float(verdicts.count(outcome)),
                    ),
                ),
            )
            for outcome in OUTCOMES
        ),
        f"{capital(told)}.",
        whole=True,
    )


def _interval(test: SignTest) -> Intervals:
    share = 100 * (test.share or 0.0)
    row = Interval(
        "Tuned preferred",
        share,
        100 * test.low,
        100 * test.high,
        role="tuned" if test.low > 0.5 or test.high < 0.5 else "neutral",
    )
    return Intervals(
        "Share of verdicts for the tuned model",
        "% of the verdicts that preferred one",
        (row,),
        f"{number(share, 1)} %, interval {number(100 * test.low, 1)} to "
        f"{number(100 * test.high, 1)} %.",
        at=50.0,
        left="base preferred",
        right="tuned preferred",
        on_slides=False,
    )


def _reasons(verdicts: ExportedVerdicts) -> Table | None:
    rows = [
        (OUTCOME_NAMES[outcome], reason, f"{count:,}")
        for outcome in OUTCOMES
        for reason, count in verdicts.reasons(outcome)[:MOST_REASONS]
    ]
    if not rows:
        return None
    return Table(
        "Reasons given most often",
        (Column("Verdict"), Column("Reason", wide=True), Column("Times", figures=True)),
        tuple(rows),
        on_slides=False,
    )
