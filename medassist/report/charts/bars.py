"""Grouped bar chart with intervals, as SVG."""

from __future__ import annotations

from medassist.report.charts.axes import bar_axis, bar_decimals, figure_word
from medassist.report.charts.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    element,
    legend,
    line,
    picture,
    shortened,
    text,
    upright,
)
from medassist.report.elements import Bars, Role

HEIGHT, FLOOR = 320.0, 280.0
WIDEST = 64.0


def draw_bars(chart: Bars, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    axis, decimals = bar_axis(chart), bar_decimals(chart)
    drawn = upright(axis, FLOOR)
    room = (WIDTH - LEFT - RIGHT) / max(1, len(chart.groups))
    each = min(WIDEST, room * 0.8 / max(1, len(chart.names)))
    for place, group in enumerate(chart.groups):
        middle = LEFT + room * (place + 0.5)
        x = middle - each * len(group.bars) / 2
        for bar in group.bars:
            centre, top = x + each / 2, axis.place(bar.value, FLOOR, TOP)
            drawn.append(_bar(bar.role, x + 2, top, each - 4, FLOOR - top))
            if bar.low is not None and bar.high is not None:
                low, top = (axis.place(v, FLOOR, TOP) for v in (bar.low, bar.high))
                drawn.append(line(centre, low, centre, top, "whisker"))
                drawn += [
                    line(centre - 5, end, centre + 5, end, "whisker")
                    for end in (low, top)
                ]
            said = figure_word(bar.value, decimals)
            drawn.append(text(said, centre, top - 6, class_="tick", anchor="middle"))
            x += each
        name = shortened(group.label, room - 6)
        drawn.append(text(name, middle, FLOOR + 20, anchor="middle"))
    drawn.append(line(LEFT, FLOOR, WIDTH - RIGHT, FLOOR, "axis"))
    above = 0.0
    if len(chart.names) > 1:
        names, above = legend(chart.names, lambda role, x: _bar(role, x, 9, 22, 14), 22)
        drawn.append(names)
    content = "\n".join(drawn)
    return picture(number, chart.title, chart.told, HEIGHT, content, above)


def _bar(role: Role, x: float, y: float, width: float, height: float) -> str:
    return element(
        "rect",
        x=x,
        y=y,
        width=max(1.0, width),
        height=max(0.5, height),
        class_=f"bar {role}",
    )
