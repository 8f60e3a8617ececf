"""What may be said when two models were given the same items.

The items are the same for both, so the difference is taken item by item: that is far
better known than the two figures apart. Sources: Efron and Tibshirani, An Introduction
to the Bootstrap (percentile interval); McNemar 1947, in its exact form; Holm 1979;
Clopper and Pearson 1934.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

DRAWS = 10_000
LEVEL = 0.95
LEAST_GROUPS = 10
"""Of fewer groups the bootstrap's interval is too narrow to be called 95 %: two items
that both got better would exclude zero."""
_DRAWN_AT_A_TIME = 1 << 22  # values
Values = npt.NDArray[np.float64]


class Outcome(StrEnum):
    """What may be said of the second of two models, in a figure."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "no difference shown"
    TOO_FEW = "too few to say"


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
        draws: of the bootstrap.
        seed: of the bootstrap.
    """

    base: float
    tuned: float
    difference: float
    low: float
    high: float
    items: int
    groups: int
    level: float
    draws: int
    seed: int


@dataclass(frozen=True)
class Flips:
    """How right and wrong answers changed from one model to the other."""

    right_to_wrong: int
    wrong_to_right: int
    both_right: int
    both_wrong: int


@dataclass(frozen=True)
class SignTest:
    """How often one of two was preferred, ties left out.

    Attributes:
        wins: of the one.
        losses: of the one.
        share: wins by wins and losses; `None` where there are neither.
        low: of the exact (Clopper-Pearson) interval of the share.
        high: of that interval.
        level: of the interval.
        p: two-sided and exact, that a fair coin would differ as much.
    """

    wins: int
    losses: int
    share: float | None
    low: float
    high: float
    level: float
    p: float


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
    """What the interval of a difference says of the second model.

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
    """An outcome as it is printed; what stands in brackets are its numbers."""
    if found is Outcome.NOT_SHOWN:
        return f"{found} (n = {items:,})"
    if found is Outcome.TOO_FEW:
        what = "items" if groups == items else "documents"
        return f"too few {what} to say ({groups}; at least {LEAST_GROUPS})"
    return str(found)


def verdict(found: PairedDifference, *, higher_is_better: bool) -> str:
    """What may be said of the second model, in words."""
    said = outcome(
        found.low, found.high, found.groups, higher_is_better=higher_is_better
    )
    return in_words(said, found.items, found.groups)


def flips(
    base: Sequence[bool] | npt.NDArray[np.bool_],
    tuned: Sequence[bool] | npt.NDArray[np.bool_],
) -> Flips:
    """Which answers were right, of both models on the same questions.

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
    """The exact two-sided p of McNemar's test: were the flips a fair coin's?"""
    return sign_p(found.right_to_wrong, found.wrong_to_right)


def sign_p(wins: int, losses: int) -> float:
    """The exact two-sided p that a fair coin falls at least as unevenly."""
    count, ways, tail = wins + losses, 1, 0
    for k in range(min(wins, losses) + 1):
        tail += ways
        ways = ways * (count - k) // (k + 1)  # from k of count to k + 1
    # Whole numbers to the end: the powers of two exceed a float at 1,075 flips.
    return min(1.0, 2 * tail / (1 << count))


def sign_test(wins: int, losses: int, level: float = LEVEL) -> SignTest:
    """Whether one of two was preferred more often than by chance.

    Raises:
        ValueError: a count is below zero.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"counts below zero: {wins}, {losses}")
    count, tail = wins + losses, (1 - level) / 2
    return SignTest(
        wins=wins,
        losses=losses,
        share=wins / count if count else None,
        low=_share_at(lambda s: _at_least(wins, count, s) - tail) if wins else 0.0,
        high=(
            _share_at(lambda s: tail - _at_least(losses, count, 1 - s))
            if losses
            else 1.0
        ),
        level=level,
        p=sign_p(wins, losses),
    )


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for having made all these tests, in the same order."""
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = least
    return adjusted


def standard_error(values: Sequence[float] | Values) -> float | None:
    """Of a mean: sample standard deviation by the root of n; `None` below two."""
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


def _at_least(wins: int, count: int, share: float) -> float:
    """P(at least `wins` of `count`) where each is won with probability `share`."""
    if share <= 0.0 or share >= 1.0:
        return float(share >= 1.0 or wins == 0)
    log_won, log_lost = math.log(share), math.log1p(-share)
    terms = (
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * log_won
        + (count - k) * log_lost
        for k in range(wins, count + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def _share_at(rising: Callable[[float], float]) -> float:
    """Where a function that rises from below zero on 0 to 1 crosses zero."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
