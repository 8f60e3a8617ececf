"""Statistics of repeated timings: percentiles, and whether one is slower.

Sources: David and Nagaraja, Order Statistics (intervals of percentiles by rank);
Welch 1947 (a difference of means whose spreads differ); the rule of slower, same and
not decided is that of an equivalence test, with the whole interval on one side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean, stdev

THRESHOLD = 0.05
LEVEL = 0.9
"""Level of the two-sided interval: each end is exceeded in one of twenty trials."""
LEAST_RUNS = 3
TAIL = 0.05


class Change(StrEnum):
    """Conclusion about a speed that was measured twice."""

    SLOWER = "slower"
    SAME = "same"
    FASTER = "faster"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True)
class Percentile:
    """A percentile with its bounds, which are measurements too.

    Attributes:
        value: the measurement at its rank.
        low: with 95 % certainty the true one is no less; `None` of too few.
        high: with 95 % certainty the true one is no more; `None` of too few.
        count: measurements.
    """

    value: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Ratio:
    """Ratio of two speeds, with its interval.

    Attributes:
        ratio: of the geometric means.
        low: of the interval.
        high: of the interval.
        change: what that says of the first speed.
    """

    ratio: float
    low: float
    high: float
    change: Change


def percentile(values: Sequence[float], share: float) -> Percentile:
    """The percentile at `share` (0.5: the median) and its bounds by rank.

    An upper bound of the 95th percentile exists from 59 measurements on: of fewer, all
    of them lie below it too often (0.95**58 is more than 1 in 20).

    Raises:
        ValueError: nothing was measured, or `share` is not between 0 and 1.
    """
    if not values or not 0 < share < 1:
        raise ValueError("a percentile is one of measurements, between 0 and 1")
    ranked = sorted(values)
    count = len(ranked)
    # below[k]: the chance that at most k of them lie below the true percentile, so that
    # the one of rank k, from 0, lies above it.
    below = _binomial_sums(count, share)
    low = next((k for k in reversed(range(count)) if below[k] <= TAIL), None)
    high = next((k for k in range(count) if below[k] >= 1 - TAIL), None)
    return Percentile(
        value=ranked[min(count - 1, max(0, math.ceil(share * count) - 1))],
        low=None if low is None else ranked[low],
        high=None if high is None else ranked[high],
        count=count,
    )


def least_for_upper_bound(share: float) -> int:
    """Measurements from which the percentile at `share` has an upper bound."""
    return math.ceil(math.log(TAIL) / math.log(share))


def compared(
    new: Sequence[float],
    old: Sequence[float],
    *,
    paired: bool = False,
    threshold: float = THRESHOLD,
    level: float = LEVEL,
) -> Ratio:
    """Compare the speeds `new` with the speeds `old`.

    Args:
        new: tokens a second, or another figure of which more is better.
        old: the same, measured before.
        paired: both were measured in turn, run by run.
        threshold: by how much a speed may differ and still be called the same.
        level: of the interval of the ratio.

    Raises:
        ValueError: a speed is not above zero, there is none, or pairs are incomplete.
    """
    if not new or not old or min(*new, *old) <= 0:
        raise ValueError("speeds are numbers above zero, on both sides")
    first, second = [math.log(v) for v in new], [math.log(v) for v in old]
    if paired:
        differences = [a - b for a, b in zip(first, second, strict=True)]
        centre, error, freedom = _one_mean(differences)
    else:
        centre, error, freedom = _two_means(first, second)
    half = math.inf
    if freedom > 0 and min(len(new), len(old)) >= LEAST_RUNS:
        half = t_quantile((1 + level) / 2, freedom) * error
    low, high = centre - half, centre + half
    slow, fast = math.log1p(-threshold), -math.log1p(-threshold)
    if high < slow:
        change = Change.SLOWER
    elif low > fast:
        change = Change.FASTER
    elif slow <= low and high <= fast:
        change = Change.SAME
    else:
        change = Change.NOT_DECIDED
    return Ratio(
        math.exp(centre), math.exp(low), math.exp(high) if high < 700 else high, change
    )


def t_quantile(share: float, freedom: float) -> float:
    """Quantile of Student's t distribution (`share` above one half).

    Args:
        share: of the distribution below.
        freedom: degrees of it, above zero; no whole number by Welch.
    """
    low, high = 0.0, 1.0
    while _t_below(high, freedom) < share:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _t_below(middle, freedom) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _one_mean(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, its standard error, and degrees of freedom."""
    if len(values) < 2:
        return mean(values), 0.0, 0.0
    return mean(values), stdev(values) / math.sqrt(len(values)), len(values) - 1


def _two_means(
    first: Sequence[float], second: Sequence[float]
) -> tuple[float, float, float]:
    """The same of the difference of two means, by Welch."""
    a, error_a, free_a = _one_mean(first)
    b, error_b, free_b = _one_mean(second)
    if not free_a or not free_b:
        return a - b, 0.0, 0.0
    variance = error_a**2 + error_b**2
    spread = error_a**4 / free_a + error_b**4 / free_b
    freedom = variance**2 / spread if spread > 0 else free_a + free_b
    return a - b, math.sqrt(variance), freedom


def _binomial_sums(count: int, share: float) -> list[float]:
    """The chance of at most k of `count`, for each k."""
    sums: list[float] = []
    total = 0.0
    for k in range(count + 1):
        total += math.exp(
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(share)
            + (count - k) * math.log1p(-share)
        )
        sums.append(total)
    return sums


def _t_below(t: float, freedom: float) -> float:
    """The share of Student's distribution below `t`, which is not below zero."""
    return 1 - _beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2


def _beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction.

    Source: Abramowitz and Stegun 26.5.8, evaluated by Lentz's method.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        + a * math.log(x)
        + b * math.log1p(-x)
    )
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / max(tiny, 1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            step = c * d
            found *= step
        if abs(step - 1) < 1e-14:
            break
    return found
