"""Paired statistics for two models that answered the same items.

The items are the same for both, so the difference is taken item by item: that is far
better known than the two figures apart. Right and wrong answers have Tango's score
interval; the bootstrap is for figures that are more than right or wrong, and for items
that are grouped. Where no answer changed, it would draw nothing but zeros and call the
difference known exactly, however few the items are.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (percentile interval);
Tango, Equivalence test and confidence interval for the difference in proportions for
the paired-sample design, Statistics in Medicine 17 (1998); McNemar 1947, in its exact
form; Holm 1979.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from medassist.core.values import REFUSES_UNKNOWN
from medassist.exams.sign_test import sign_p

DRAWS = 10_000
LEVEL = 0.95
ALPHA = 0.05
"""The p below which something is called shown; 1 - LEVEL."""
LEAST_GROUPS = 10
"""Of fewer groups the bootstrap's interval is too narrow to be called 95 %: two items
that both got better would exclude zero."""
_DRAWN_AT_A_TIME = 1 << 22  # values
Values = npt.NDArray[np.float64]
Method = Literal["bootstrap", "score"]
Answers = Sequence[bool] | npt.NDArray[np.bool_]


class Outcome(StrEnum):
    """Conclusion about the second of two models, in one figure."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "no difference shown"
    TOO_FEW = "too few to say"
    CANNOT_TELL = "cannot tell"
    """Of an exam in which neither model is shown to know more than a fixed answer."""


@dataclass(frozen=True)
class PairedDifference:
    """The difference of two models' figures on the same items.

    Attributes:
        base: the first model's figure.
        tuned: the second's.
        difference: tuned - base.
        low: of the interval.
        high: of the interval.
        items: that were compared.
        groups: that were drawn from; items of a document are no independent witnesses.
        level: of the interval.
        draws: of the bootstrap; 0 of a score interval, which draws nothing.
        seed: of the bootstrap.
        method: by which the interval was found.
    """

    base: float
    tuned: float
    difference: float
    low: float
    high: float
    items: int
    groups: int
    level: float
    draws: int = 0
    seed: int = 0
    method: Method = "bootstrap"


@dataclass(frozen=True)
class Flips:
    """Changes of right and wrong answers from one model to the other."""

    __pydantic_config__: ClassVar[dict[str, str]] = REFUSES_UNKNOWN

    right_to_wrong: int
    wrong_to_right: int
    both_right: int
    both_wrong: int

    @property
    def items(self) -> int:
        """Questions that both answered."""
        return self.changed + self.both_right + self.both_wrong

    @property
    def changed(self) -> int:
        """Answers that are right in one model and wrong in the other."""
        return self.right_to_wrong + self.wrong_to_right

    @property
    def difference(self) -> float:
        """The second model's share of right answers minus the first one's."""
        return (self.wrong_to_right - self.right_to_wrong) / self.items

    def __add__(self, other: Flips) -> Flips:
        """The flips of two sets of questions together."""
        return Flips(
            self.right_to_wrong + other.right_to_wrong,
            self.wrong_to_right + other.wrong_to_right,
            self.both_right + other.both_right,
            self.both_wrong + other.both_wrong,
        )


def paired_difference(
    base: Sequence[float] | Values,
    tuned: Sequence[float] | Values,
    *,
    weights: Sequence[float] | Values | None = None,
    groups: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> PairedDifference:
    """The difference of two figures and its percentile bootstrap interval.

    A figure is sum(values) / sum(weights): with no weights the mean; with sums of
    losses as values and tokens as weights the loss per token. Whole groups are drawn.

    Args:
        base: a value for each item, of the first model.
        tuned: the same of the second.
        weights: of the items; 1 by default.
        groups: which items belong together; by default each stands for itself.
        draws: of the bootstrap.
        level: of the interval.
        seed: of the draws.

    Raises:
        ValueError: there are no items, or the lengths differ.
    """
    first, second = np.asarray(base, np.float64), np.asarray(tuned, np.float64)
    count = len(first)
    share = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if not count:
        raise ValueError("there is no difference of nothing")
    if len(second) != count or len(share) != count:
        raise ValueError(f"{count} items against {len(second)}, weights {len(share)}")
    if groups is not None:
        of = _numbered(groups)
        if len(of) != count:
            raise ValueError(f"{count} items in {len(of)} places of groups")
        change, by_group = _sums(second - first, of), _sums(share, of)
    else:
        change, by_group = second - first, share
    found = _draws(change, by_group, draws, seed)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(found, (tail, 100 - tail))
    whole = share.sum()
    return PairedDifference(
        base=float(first.sum() / whole),
        tuned=float(second.sum() / whole),
        difference=float((second - first).sum() / whole),
        low=float(low),
        high=float(high),
        items=count,
        groups=len(change),
        level=level,
        draws=draws,
        seed=seed,
    )


def outcome(low: float, high: float, groups: int, *, higher_is_better: bool) -> Outcome:
    """The conclusion that the interval of a difference allows.

    Args:
        low: of the interval.
        high: of the interval.
        groups: that were drawn from; of too few nothing is said, wherever it lies.
        higher_is_better: of the figure.
    """
    if groups < LEAST_GROUPS:
        return Outcome.TOO_FEW
    if low <= 0 <= high:
        return Outcome.NOT_SHOWN
    return Outcome.BETTER if (low > 0) == higher_is_better else Outcome.WORSE


def in_words(found: Outcome, items: int, groups: int) -> str:
    """An outcome in words, its numbers in brackets."""
    if found is Outcome.NOT_SHOWN:
        return f"{found} (n = {items:,})"
    if found is Outcome.TOO_FEW:
        what = "items" if groups == items else "documents"
        return f"too few {what} to say ({groups}; at least {LEAST_GROUPS})"
    return str(found)


def verdict(found: PairedDifference, *, higher_is_better: bool) -> str:
    """The conclusion about the second model, in words."""
    said = outcome(
        found.low, found.high, found.groups, higher_is_better=higher_is_better
    )
    return in_words(said, found.items, found.groups)


def score_interval(found: Flips, level: float = LEVEL) -> tuple[float, float]:
    """Tango's score interval of the difference of two shares of right answers.

    Of n questions whose answers did not change it is [-z²/(n + z²), z²/(n + z²)].

    Returns:
        low and high of the second model's share minus the first one's.

    Raises:
        ValueError: there are no questions.
    """
    if not found.items:
        raise ValueError("there is no difference of nothing")
    z = NormalDist().inv_cdf((1 + level) / 2)
    # The score falls from one end to the other; where it is z and -z are the ends.
    return _where(found, z, -1.0, found.difference), _where(
        found, -z, found.difference, 1.0
    )


def paired_answers(
    base: Answers, tuned: Answers, level: float = LEVEL
) -> PairedDifference:
    """The difference of two shares of right answers and its score interval.

    Raises:
        ValueError: there are no answers, or their numbers differ.
    """
    found = flips(base, tuned)
    low, high = score_interval(found, level)
    return PairedDifference(
        base=(found.both_right + found.right_to_wrong) / found.items,
        tuned=(found.both_right + found.wrong_to_right) / found.items,
        difference=found.difference,
        low=low,
        high=high,
        items=found.items,
        groups=found.items,
        level=level,
        method="score",
    )


def flips(base: Answers, tuned: Answers) -> Flips:
    """Count which answers changed between two models on the same questions.

    Raises:
        ValueError: the numbers of answers differ.
    """
    first, second = np.asarray(base, np.bool_), np.asarray(tuned, np.bool_)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} answers against {len(second)}")
    return Flips(
        right_to_wrong=int((first & ~second).sum()),
        wrong_to_right=int((~first & second).sum()),
        both_right=int((first & second).sum()),
        both_wrong=int((~first & ~second).sum()),
    )


def mcnemar(found: Flips) -> float:
    """Exact two-sided p of McNemar's test on the flips."""
    return sign_p(found.right_to_wrong, found.wrong_to_right)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values, in the order given."""
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = least
    return adjusted


def standard_error(values: Sequence[float] | Values) -> float | None:
    """Standard error of a mean; `None` for fewer than two values."""
    found = np.asarray(values, np.float64)
    if len(found) < 2:
        return None
    return float(found.std(ddof=1) / math.sqrt(len(found)))


def _numbered(groups: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(group, len(numbers)) for group in groups]
    return np.array(found, np.int64)


def _sums(values: Values, of: npt.NDArray[np.int64]) -> Values:
    return np.bincount(of, values).astype(np.float64)


def _draws(change: Values, weights: Values, draws: int, seed: int) -> Values:
    """The difference in `draws` samples of the groups, drawn with putting back."""
    random = np.random.default_rng(seed)
    count = len(change)
    found = np.empty(draws)
    rows = max(1, _DRAWN_AT_A_TIME // count)
    for start in range(0, draws, rows):
        size = (min(rows, draws - start), count)
        drawn = random.integers(0, count, size)
        found[start : start + rows] = change[drawn].sum(1) / weights[drawn].sum(1)
    return found


def _score(found: Flips, difference: float) -> float:
    """Standard errors by which what was found lies above a true `difference`.

    The standard error is that under `difference`: the share of right answers that
    become wrong is the likeliest one that goes with it.
    """
    n, lost, won = found.items, found.right_to_wrong, found.wrong_to_right
    above = won - lost - n * difference
    if above == 0:
        return 0.0
    b = -won - lost + (2 * n - won + lost) * difference
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    return above / math.sqrt(variance) if variance > 0 else math.copysign(1e9, above)


def _where(found: Flips, z: float, low: float, high: float) -> float:
    """The difference between `low` and `high` at which the falling score is `z`."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _score(found, middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2
