"""From values to places on a chart, and the round numbers on its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten: what people count in


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low: the value at its beginning.
        high: the value at its end.
        first: the place of its beginning.
        last: the place of its end; may lie before `first`, as upwards on a screen.
        ticks: the values that are written at it.
        decimals: that their words need.
    """

    low: float
    high: float
    first: float
    last: float
    ticks: tuple[float, ...]
    decimals: int

    def place(self, value: float) -> float:
        """Where `value` is; what lies outside is put on the edge."""
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def word(self, tick: float) -> str:
        """The label of a tick."""
        return f"{tick:,.{self.decimals}f}".replace("-", "\N{MINUS SIGN}")


def scale(
    values: list[float],
    first: float,
    last: float,
    *,
    ticks: int = 6,
    zero: bool = False,
) -> Scale:
    """An axis that holds all `values` and ends on round numbers.

    Args:
        values: what is drawn; what is not finite is ignored.
        first: the place of its beginning.
        last: the place of its end.
        ticks: at most about so many.
        zero: it has to hold zero.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        around = abs(low) * 0.1 or 1.0
        low, high = low - (0 if zero and low == 0 else around), high + around
    step = _step((high - low) / max(1, ticks - 1))
    # A hair of tolerance, or 0.3 / 0.1 would ask for a further step.
    begin = math.floor(low / step + 1e-9)
    end = math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if step * 10**decimals % 1 > 1e-6:  # 2.5 and the like need one more
        decimals += 1
    places = tuple(round(number * step, 12) for number in range(begin, end + 1))
    return Scale(places[0], places[-1], first, last, places, decimals)


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in STEPS if power * step >= least * (1 - 1e-9))
