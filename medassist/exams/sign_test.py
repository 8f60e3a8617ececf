"""Sign test with exact p and interval: how often one of two was preferred.

Source: Clopper and Pearson 1934.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class SignTest:
    """Result of a sign test, ties left out.

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


def sign_p(wins: int, losses: int) -> float:
    """Exact two-sided p of a fair coin falling at least as unevenly."""
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
    """Root of a function that rises from below zero on 0 to 1."""
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
