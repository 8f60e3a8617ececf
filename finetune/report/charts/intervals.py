"""Estimates with their intervals, one below the other: a forest plot."""

from __future__ import annotations

from finetune.report.charts.scale import scale
from finetune.report.charts.svg import (
    WIDTH,
    line,
    mark,
    picture,
    shortened,
    text,
    width_of,
)
from finetune.report.parts import Intervals

ROW = 34.0
TOP, BOTTOM = 34.0, 54.0
MOST_LABEL = 250.0  # of the width, for the names of the rows
MOST_SAID = 170.0
SIDE = 0.45  # of the longest reach, that the axis has on either side at least


def draw_intervals(chart: Intervals, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    # The labels are set bold, which is wider.
    left = 24 + min(MOST_LABEL, max(1.1 * width_of(row.label) for row in chart.rows))
    said = min(MOST_SAID, max(width_of(row.said) for row in chart.rows))
    right = WIDTH - (said + 22 if said else 20.0)
    values = [v for row in chart.rows for v in (row.low, row.high, row.value)]
    reach = max((abs(value - chart.at) for value in values), default=1.0)
    # Both sides of the line are shown, or what lies left and right has no place.
    around = [chart.at - SIDE * reach, chart.at + SIDE * reach]
    across = scale([*values, *around], left, right, ticks=6)
    bottom = TOP + ROW * len(chart.rows)
    drawn: list[str] = []
    for tick in across.ticks:
        x = across.place(tick)
        drawn.append(line(x, TOP, x, bottom, "grid"))
        drawn.append(
            text(across.word(tick), x, bottom + 18, class_="tick", anchor="middle")
        )
    zero = across.place(chart.at)
    drawn.append(line(zero, TOP - 4, zero, bottom + 4, "zero"))
    # The word keeps to its side of the line, and off the edge of the picture.
    drawn.append(text(chart.left, zero - 8, TOP - 14, class_="label", anchor="end"))
    drawn.append(text(chart.right, zero + 8, TOP - 14, class_="label"))
    for place, row in enumerate(chart.rows):
        y = TOP + ROW * (place + 0.5)
        low, high = across.place(row.low), across.place(row.high)
        drawn.append(
            text(shortened(row.label, left - 14), 8, y + 4, class_="label strong")
        )
        drawn.append(line(low, y, high, y, f"interval {row.role}"))
        drawn += [line(x, y - 6, x, y + 6, f"interval {row.role}") for x in (low, high)]
        drawn.append(mark(row.role, across.place(row.value), y))
        if row.said:
            words = shortened(row.said, MOST_SAID)
            drawn.append(text(words, right + 14, y + 4, class_="label"))
    drawn.append(
        text(
            chart.x_label,
            (left + right) / 2,
            bottom + 42,
            class_="label",
            anchor="middle",
        )
    )
    height = bottom + BOTTOM
    return picture(number, chart.title, chart.told, height, "\n".join(drawn))
