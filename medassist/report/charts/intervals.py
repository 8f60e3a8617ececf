"""Forest plot: estimates with intervals, one below the other, as SVG."""

from __future__ import annotations

from medassist.report.charts.axes import interval_axis
from medassist.report.charts.svg import (
    WIDTH,
    line,
    mark,
    picture,
    shortened,
    text,
    width_of,
)
from medassist.report.elements import Intervals

ROW = 34.0
TOP, BELOW = 34.0, 54.0
MOST_LABEL = 250.0  # of the width, for the names of the rows
MOST_SAID = 170.0


def draw_intervals(chart: Intervals, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    # The labels are set bold, which is wider.
    left = 24 + min(MOST_LABEL, max(1.1 * width_of(row.label) for row in chart.rows))
    said = min(MOST_SAID, max(width_of(row.said) for row in chart.rows))
    right = WIDTH - (said + 22 if said else 20.0)
    axis = interval_axis(chart)
    bottom = TOP + ROW * len(chart.rows)
    drawn: list[str] = []
    for tick in axis.ticks:
        x = axis.place(tick, left, right)
        drawn.append(line(x, TOP, x, bottom, "grid"))
        word = axis.word(tick)
        drawn.append(text(word, x, bottom + 18, class_="tick", anchor="middle"))
    zero = axis.place(chart.at, left, right)
    drawn.append(line(zero, TOP - 4, zero, bottom + 4, "zero"))
    # The word keeps to its side of the line, and off the edge of the picture.
    drawn.append(text(chart.left, zero - 8, TOP - 14, anchor="end"))
    drawn.append(text(chart.right, zero + 8, TOP - 14))
    for place, row in enumerate(chart.rows):
        y = TOP + ROW * (place + 0.5)
        low, value, high = (
            axis.place(end, left, right) for end in (row.low, row.value, row.high)
        )
        name = shortened(row.label, left - 14)
        drawn.append(text(name, 8, y + 4, class_="label strong"))
        drawn.append(line(low, y, high, y, f"interval {row.role}"))
        drawn += [line(x, y - 6, x, y + 6, f"interval {row.role}") for x in (low, high)]
        drawn.append(mark(row.role, value, y))
        if row.said:
            drawn.append(text(shortened(row.said, MOST_SAID), right + 14, y + 4))
    drawn.append(text(axis.label, (left + right) / 2, bottom + 42, anchor="middle"))
    height = bottom + BELOW
    return picture(number, chart.title, chart.told, height, "\n".join(drawn))
