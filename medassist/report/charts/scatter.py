"""Scatter plot with intervals, and a line through the best points, as SVG."""

from __future__ import annotations

from medassist.report.charts.axes import Axis, round_axis
from medassist.report.charts.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    element,
    line,
    mark,
    picture,
    polyline,
    shortened,
    text,
    upright,
    width_of,
)
from medassist.report.elements import Point, Scatter

HEIGHT, BOTTOM = 360.0, 308.0
END = WIDTH - RIGHT
MOST_LABEL = 190.0
ROW = 15.0
Box = tuple[float, float, float, float]


def draw_scatter(chart: Scatter, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    across = round_axis(chart.x_label, [p.x for p in chart.points], ticks=7)
    ends = [end for p in chart.points for end in (p.low, p.y, p.high)]
    up = round_axis(chart.y_label, ends)
    drawn = upright(up, BOTTOM)
    for tick in across.ticks:
        x = across.place(tick, LEFT, END)
        drawn.append(line(x, BOTTOM, x, BOTTOM + 5, "axis"))
        word = across.word(tick)
        drawn.append(text(word, x, BOTTOM + 20, class_="tick", anchor="middle"))
    drawn.append(line(LEFT, BOTTOM, END, BOTTOM, "axis"))
    drawn.append(text(across.label, (LEFT + END) / 2, HEIGHT - 10, anchor="middle"))
    if chart.line:
        best = [_place(chart.points[at], across, up) for at in chart.line]
        drawn.append(polyline(best, "frontier"))
        drawn.append(polyline([(LEFT, 16), (LEFT + 30, 16)], "frontier"))
        drawn.append(text(chart.line_name, LEFT + 37, 20))
    taken: list[Box] = []
    for point in chart.points:
        x, y = _place(point, across, up)
        low, high = (up.place(end, BOTTOM, TOP) for end in (point.low, point.high))
        drawn.append(line(x, low, x, high, f"interval {point.role}"))
        drawn += [
            line(x - 5, end, x + 5, end, f"interval {point.role}")
            for end in (low, high)
        ]
        drawn.append(mark(point.role, x, y))
        taken += [(x - 8, y - 8, x + 8, y + 8), (x - 5, high, x + 5, low)]
    for point in chart.points:
        drawn.append(_label(point, *_place(point, across, up), taken))
    return picture(number, chart.title, chart.told, HEIGHT, "\n".join(drawn))


def _place(point: Point, across: Axis, up: Axis) -> tuple[float, float]:
    return across.place(point.x, LEFT, END), up.place(point.y, BOTTOM, TOP)


def _label(point: Point, x: float, y: float, taken: list[Box]) -> str:
    """Its name beside it, where nothing else stands if there is such a place.

    A thin line leads to a name that had to go far away.
    """
    said = shortened(point.label, MOST_LABEL)
    width = 1.15 * width_of(said)
    middles = sorted((TOP + ROW * n for n in range(-1, 18)), key=lambda m: abs(m - y))
    best: Box | None = None
    for middle in [y, *middles]:
        for left in (x + 12, x - 12 - width):
            box = left, middle - ROW / 2, left + width, middle + ROW / 2
            inside = (
                left > LEFT and left + width < WIDTH - 4 and 28 < box[1] < BOTTOM - ROW
            )
            if inside and not any(_touch(box, other) for other in taken):
                best = box
                break
        if best is not None:
            break
    left, top, right, bottom = best or (x + 12, y - ROW / 2, x + 12 + width, y + 8)
    taken.append((left, top, right, bottom))
    drawn = text(said, left, top + 11.5)
    if abs((top + bottom) / 2 - y) > ROW:
        near = left - 3 if left > x else right + 3
        drawn += line(x, y, near, (top + bottom) / 2, "lead")
    return element("g", drawn)


def _touch(one: Box, other: Box) -> bool:
    return (
        one[0] < other[2]
        and other[0] < one[2]
        and one[1] < other[3]
        and other[1] < one[3]
    )
