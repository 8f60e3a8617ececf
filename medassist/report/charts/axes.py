"""Axes of a chart: ranges, round tick values, tick labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from medassist.report.elements import Bars, Intervals, Lines

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten: what people count in
SIDE = 0.45  # of the longest reach, that intervals have on either side at least


@dataclass(frozen=True)
class Axis:
    """An axis: its range, ticks and labels.

    Attributes:
        label: its title.
        low: the value at its beginning.
        high: the value at its end.
        step: between two ticks.
        ticks: the values that are written at it.
        decimals: that their words need.
        powers: the ticks are powers of ten, and equally far from each other.
    """

    label: str
    low: float
    high: float
    step: float
    ticks: tuple[float, ...]
    decimals: int
    powers: bool = False

    def place(self, value: float, first: float, last: float) -> float:
        """Position of `value` on an axis that is drawn from `first` to `last`.

        `last` may lie before `first`, as upwards on a screen. What lies outside the
        axis is put on its edge.
        """
        inside = min(max(value, self.low), self.high)
        if self.powers:
            low, high = math.log10(self.low), math.log10(self.high)
            share = (math.log10(inside) - low) / (high - low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return first + share * (last - first)

    def word(self, tick: float) -> str:
        """The label of a tick."""
        return f"{tick:g}" if self.powers else figure_word(tick, self.decimals)


def figure_word(value: float, decimals: int) -> str:
    """A number as a chart shows it: 1,234.5."""
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def number_form(decimals: int) -> str:
    """`figure_word` as a spreadsheet's number format: #,##0.0."""
    return "#,##0." + "0" * decimals if decimals else "#,##0"


def line_axes(chart: Lines) -> tuple[Axis, Axis]:
    """The axes of a line chart; the horizontal one ends where the data end."""
    zero = [0.0] if chart.from_zero else []
    xs = [*zero, *(x for curve in chart.curves for x, _ in curve.points)]
    across = round_axis(chart.x_label, xs, ticks=7)
    if chart.words:
        last = len(chart.words) - 1
        places = tuple(float(number) for number in range(last + 1))
        across = Axis(chart.x_label, 0.0, float(max(1, last)), 1.0, places, 0)
    end = max(xs, default=across.high)
    if across.low < end:
        ticks = tuple(tick for tick in across.ticks if tick <= end)
        across = replace(across, high=end, ticks=ticks)
    ys = [y for curve in chart.curves for _, y in curve.points]
    if chart.powers:
        return across, power_axis(chart.y_label, ys)
    return across, round_axis(chart.y_label, [*zero, *ys])


def interval_axis(chart: Intervals) -> Axis:
    """The horizontal axis of a forest plot, which shows both sides of the line."""
    values = [v for row in chart.rows for v in (row.low, row.high, row.value)]
    reach = max((abs(value - chart.at) for value in values), default=1.0)
    around = (chart.at - SIDE * reach, chart.at + SIDE * reach)
    return round_axis(chart.x_label, [*values, *around])


def bar_axis(chart: Bars) -> Axis:
    """The vertical axis of a bar chart, from zero."""
    bars = [bar for group in chart.groups for bar in group.bars]
    highest = max((bar.high or bar.value for bar in bars), default=0.0)
    return round_axis(chart.y_label, [0.0, max(highest, chart.top or 0.0) or 1.0])


def bar_decimals(chart: Bars) -> int:
    """Decimals of the figures written at the bars."""
    return 0 if chart.whole else 1


def round_axis(label: str, values: list[float], *, ticks: int = 6) -> Axis:
    """An axis that holds all `values` and ends on round numbers.

    Args:
        label: its title.
        values: what is drawn; what is not finite is ignored.
        ticks: at most about so many.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if low == high:
        around = abs(low) * 0.1 or 1.0
        low, high = low - around, high + around
    step = _step((high - low) / max(1, ticks - 1))
    # A hair of tolerance, or 0.3 / 0.1 would ask for a further step.
    begin = math.floor(low / step + 1e-9)
    end = math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if step * 10**decimals % 1 > 1e-6:  # 2.5 and the like need one more
        decimals += 1
    places = tuple(round(number * step, 12) for number in range(begin, end + 1))
    return Axis(label, places[0], places[-1], step, places, decimals)


def power_axis(label: str, values: list[float]) -> Axis:
    """An axis between powers of ten; values that are not above 0 are ignored."""
    found = [v for v in values if math.isfinite(v) and v > 0] or [1.0]
    low = math.floor(math.log10(min(found)) + 1e-9)
    high = max(math.ceil(math.log10(max(found)) - 1e-9), low + 1)
    ticks = tuple(10.0**power for power in range(low, high + 1))
    return Axis(label, ticks[0], ticks[-1], 1.0, ticks, 0, powers=True)


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in STEPS if power * step >= least * (1 - 1e-9))
