"""Non-inferiority of one model to another, and how many questions it needs.

"No difference shown" is not "no worse": of a few questions nothing is ever shown. That
a model is no worse by more than a margin is shown where the whole interval of the
difference lies above minus the margin, which is fixed before the questions are put.

Several models are taken in an order that is fixed before, too, up to the first of which
it cannot be shown. So each has the full level, and all together err no more often than
one alone. Source: Maurer, Hothorn and Lehmacher 1995 (tests in a fixed sequence).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from medassist.exams.statistics import LEVEL, Flips, score_interval

MARGIN = 0.01
POWER = 0.8


def no_worse(found: Flips, margin: float = MARGIN, level: float = LEVEL) -> bool:
    """Whether the second model is shown to be worse by less than `margin`.

    Args:
        found: the answers that changed.
        margin: a share of the questions, such as 0.01.
        level: of the two-sided interval; at 0.95 one in forty is shown wrongly.
    """
    return score_interval(found, level)[0] > -margin


def equal_within(found: Flips, margin: float = MARGIN, level: float = LEVEL) -> bool:
    """Whether both are shown to differ by less than `margin`, either way.

    Two one-sided tests (Schuirmann 1987): at a level of 0.95 the interval of 0.9 has to
    lie within the margins.
    """
    low, high = score_interval(found, 2 * level - 1)
    return -margin < low and high < margin


def in_sequence(shown: Sequence[bool]) -> list[bool | None]:
    """Results of tests in a fixed order: `None` after the first that failed."""
    counted: list[bool | None] = []
    open_still = True
    for one in shown:
        counted.append(one if open_still else None)
        open_still = open_still and one
    return counted


def margin_shown(items: int, changed: float, level: float = LEVEL) -> float:
    """The margin that `items` can show, where right and wrong changes cancel out.

    It is half the width of the interval. With the truth at no difference it is shown in
    about half of all trials; `items_needed` asks for more certainty.

    Args:
        items: questions.
        changed: the share of answers that change, such as 0.04.
        level: of the interval.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    return z * math.sqrt(changed / items)


def items_needed(
    changed: float,
    margin: float = MARGIN,
    truth: float = 0.0,
    level: float = LEVEL,
    power: float = POWER,
) -> int | None:
    """Questions needed to show "no worse by more than `margin`" most times.

    Source: the usual normal approximation, with the variance at the margin and at the
    truth, as in Tango 1998.

    Args:
        changed: the share of answers that change.
        margin: a share of the questions.
        truth: the difference that there really is.
        level: of the two-sided interval.
        power: how often it is to be shown.

    Returns:
        their number; `None` where the truth is beyond the margin, so that none do.
    """
    distance = margin + truth
    if distance <= 0:
        return None
    z_level = NormalDist().inv_cdf((1 + level) / 2)
    z_power = NormalDist().inv_cdf(power)
    spread = z_level * math.sqrt(changed) + z_power * math.sqrt(
        max(0.0, changed - truth**2)
    )
    return math.ceil(spread**2 / distance**2 - 1e-9)
