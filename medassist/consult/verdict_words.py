"""Verdict statistics in words, for the screen and for the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medassist.consult.verdicts import JudgedTurn, PairFigures, figures
from medassist.core.words import plural

if TYPE_CHECKING:
    from medassist.exams.sign_test import SignTest

LEAST = 10
"""Decisive verdicts below which their share says nothing of how many are needed."""
NONE_YET = (
    "No verdict yet. {verdict} gives one when both models have answered; with {blind} "
    "before the first question their names are hidden until then."
)
"""Text with the names of the commands whose keys belong in it (`tui.keys`)."""
NOTES = (
    "Each verdict counts as one witness; several in one consultation are not quite "
    "that. p is of an exact two-sided sign test, the interval is Clopper and Pearson's."
)


def as_text(given: Iterable[JudgedTurn]) -> str:
    """All statistics as printed; empty without verdicts."""
    found = figures(given)
    if not found:
        return ""
    parts = ["\n".join([heading(one), *lines(one)]) for one in found]
    return "\n\n".join([*parts, NOTES])


def heading(found: PairFigures) -> str:
    """Name of the pair, and whether it was judged blind."""
    return f"{found.pair}  ({'blind' if found.blind else 'names seen'})"


def lines(found: PairFigures) -> list[str]:
    """The statistics of a pair, a line each."""
    said = [
        f"  {found.count} {plural(found.count, 'verdict')}: tuned {found.tuned}, "
        f"base {found.base}, ties {found.ties}, both poor {found.both_poor}",
        f"  tuned preferred: {_test(found.test)}",
        f"  {_missing(found)}",
    ]
    if found.side_a is not None:
        said.append(f"  side A preferred: {_test(found.side_a)}{_bias(found.side_a)}")
    if found.repeated:
        said.append(
            f"  same question judged again: {found.agreeing} of {found.repeated} "
            f"{plural(found.repeated, 'comparison')} agree"
        )
    if found.reasons:
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.reasons)
        said.append(f"  reasons: {reasons}")
    return said


def _test(test: SignTest) -> str:
    decisive = test.wins + test.losses
    if test.share is None:
        return "no decisive verdict yet"
    return (
        f"{test.wins} of {decisive} decisive, {100 * test.share:.0f} % "
        f"({100 * test.low:.0f} to {100 * test.high:.0f} %), {_p(test.p)}"
    )


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _bias(test: SignTest) -> str:
    return "; the reader leans to one side" if test.p < 0.05 else ""


def _missing(found: PairFigures) -> str:
    if found.decisive < LEAST:
        return f"fewer than {LEAST} decisive verdicts: too few to say how many it takes"
    match found.more:
        case None:
            return "even so far: no number of verdicts would show a difference"
        case 0:
            return "enough decisive verdicts for this share (80 % power)"
        case more:
            return (
                f"{more:,} more decisive {plural(more, 'verdict')} needed at this "
                "share (80 % power)"
            )
