"""Bar chart of counts to both sides of zero, one row below the other, as SVG."""

from __future__ import annotations

from medassist.report.charts.axes import round_axis
from medassist.report.charts.svg import (
    WIDTH,
    element,
    line,
    picture,
    shortened,
    text,
    width_of,
)
from medassist.report.elements import TwoSided

ROW, THICK = 38.0, 18.0
TOP, BELOW = 34.0, 54.0
MOST_LABEL = 220.0
EDGE = 44.0
"""Room for the figures at the ends of the bars."""


def draw_two_sided(chart: TwoSided, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    longest = max((width_of(row.label) for row in chart.rows), default=0.0)
    left, right = 24 + min(MOST_LABEL, 1.1 * longest) + EDGE, WIDTH - EDGE
    reach = max((max(row.left, row.right) for row in chart.rows), default=0.0) or 1.0
    axis = round_axis(chart.x_label, [-reach, reach])
    bottom = TOP + ROW * len(chart.rows)
    drawn: list[str] = []
    for tick in axis.ticks:
        if tick % 1:
            continue
        x = axis.place(tick, left, right)
        drawn.append(line(x, TOP, x, bottom, "grid"))
        said = f"{abs(tick):,.0f}"
        drawn.append(text(said, x, bottom + 18, class_="tick", anchor="middle"))
    zero = axis.place(0.0, left, right)
    drawn.append(text(chart.left, zero - 10, TOP - 14, anchor="end"))
    drawn.append(text(chart.right, zero + 10, TOP - 14))
    for place, row in enumerate(chart.rows):
        y = TOP + ROW * (place + 0.5)
        drawn.append(
            text(
                shortened(row.label, left - EDGE - 14), 8, y + 4, class_="label strong"
            )
        )
        for count, side in ((-row.left, "lost"), (row.right, "won")):
            end = axis.place(count, left, right)
            drawn.append(_bar(zero, end, y, f"side {side}"))
            gap, anchor = (-6, "end") if side == "lost" else (6, "start")
            said = f"{abs(count):,.0f}"
            drawn.append(text(said, end + gap, y + 4, class_="tick", anchor=anchor))
    drawn.append(line(zero, TOP - 4, zero, bottom + 4, "zero"))
    drawn.append(text(axis.label, (left + right) / 2, bottom + 42, anchor="middle"))
    height = bottom + BELOW
    return picture(number, chart.title, chart.told, height, "\n".join(drawn))


def _bar(zero: float, end: float, y: float, class_: str) -> str:
    return element(
        "rect",
        x=min(zero, end),
        y=y - THICK / 2,
        width=abs(end - zero),
        height=THICK,
        class_=class_,
    )
