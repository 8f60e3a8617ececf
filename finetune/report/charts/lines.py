"""A line chart: how a loss went."""

from __future__ import annotations

from finetune.report.charts.scale import Scale, scale
from finetune.report.charts.svg import (
    WIDTH,
    element,
    line,
    mark,
    picture,
    polyline,
    text,
    width_of,
)
from finetune.report.parts import Lines

LEFT, RIGHT, TOP, BOTTOM = 64.0, 20.0, 40.0, 52.0
HEIGHT = 340.0


def draw_lines(chart: Lines, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    xs = [x for curve in chart.curves for x, _ in curve.points]
    ys = [y for curve in chart.curves for _, y in curve.points]
    across = scale(xs, LEFT, WIDTH - RIGHT, ticks=7)
    # The data need not fill the last round step: the axis ends where they end.
    across = (
        Scale(
            min(xs, default=across.low),
            max(xs, default=across.high),
            across.first,
            across.last,
            tuple(tick for tick in across.ticks if min(xs) <= tick <= max(xs)),
            across.decimals,
        )
        if len(set(xs)) > 1
        else across
    )
    up = scale(ys, HEIGHT - BOTTOM, TOP)
    content = [*_axes(chart, across, up), *_legend(chart)]
    if chart.mark is not None:
        x = across.place(chart.mark[0])
        content.append(line(x, TOP, x, HEIGHT - BOTTOM, "pointer"))
        right = x + 6 + width_of(chart.mark[1]) > WIDTH - RIGHT
        content.append(
            text(
                chart.mark[1],
                x + (-6 if right else 6),
                TOP + 12,
                class_="label",
                anchor="end" if right else None,
            )
        )
    for curve in chart.curves:
        places = [(across.place(x), up.place(y)) for x, y in curve.points]
        content.append(polyline(places, f"curve {curve.role}"))
        if curve.marked:
            content += [mark(curve.role, x, y, 4.0) for x, y in places]
    return picture(number, chart.title, chart.told, HEIGHT, "\n".join(content))


def _axes(chart: Lines, across: Scale, up: Scale) -> list[str]:
    bottom = HEIGHT - BOTTOM
    drawn: list[str] = []
    for tick in up.ticks:
        y = up.place(tick)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        drawn.append(text(up.word(tick), LEFT - 8, y + 4, class_="tick", anchor="end"))
    for tick in across.ticks:
        x = across.place(tick)
        drawn.append(line(x, bottom, x, bottom + 5, "axis"))
        drawn.append(
            text(across.word(tick), x, bottom + 20, class_="tick", anchor="middle")
        )
    drawn.append(line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(
        text(chart.x_label, middle, HEIGHT - 10, class_="label", anchor="middle")
    )
    drawn.append(
        text(
            chart.y_label,
            16,
            (TOP + bottom) / 2,
            class_="label",
            anchor="middle",
            turned=True,
        )
    )
    return drawn


def _legend(chart: Lines) -> list[str]:
    drawn: list[str] = []
    x = LEFT
    for curve in chart.curves:
        drawn.append(polyline([(x, 16), (x + 30, 16)], f"curve {curve.role}"))
        if curve.marked:
            drawn.append(mark(curve.role, x + 15, 16, 4.0))
        drawn.append(text(curve.name, x + 37, 20, class_="label"))
        x += 37 + width_of(curve.name) + 28
    return [element("g", "".join(drawn))]
