"""Bars from zero, in groups, with their intervals."""

from __future__ import annotations

from finetune.report.charts.scale import scale
from finetune.report.charts.svg import (
    WIDTH,
    element,
    line,
    picture,
    shortened,
    text,
    width_of,
)
from finetune.report.parts import Bars, Role

LEFT, RIGHT, TOP, BOTTOM = 64.0, 20.0, 40.0, 40.0
HEIGHT = 320.0
WIDEST = 64.0


def draw_bars(chart: Bars, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    values = [v for g in chart.groups for b in g.bars for v in (b.value, b.high or 0.0)]
    if chart.top is not None:
        values.append(chart.top)
    up = scale(values, HEIGHT - BOTTOM, TOP, zero=True)
    drawn: list[str] = []
    for tick in up.ticks:
        y = up.place(tick)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        drawn.append(text(up.word(tick), LEFT - 8, y + 4, class_="tick", anchor="end"))
    room = (WIDTH - LEFT - RIGHT) / max(1, len(chart.groups))
    each = min(WIDEST, room * 0.8 / max(1, len(chart.names)))
    floor = up.place(0.0)
    for place, group in enumerate(chart.groups):
        middle = LEFT + room * (place + 0.5)
        x = middle - each * len(group.bars) / 2
        for bar in group.bars:
            y = up.place(bar.value)
            drawn.append(_bar(bar.role, x + 2, y, each - 4, floor - y))
            top = y
            if bar.low is not None and bar.high is not None:
                centre, top = x + each / 2, up.place(bar.high)
                drawn.append(line(centre, up.place(bar.low), centre, top, "whisker"))
                drawn += [
                    line(centre - 5, end, centre + 5, end, "whisker")
                    for end in (up.place(bar.low), top)
                ]
            drawn.append(
                text(
                    f"{bar.value:,.{0 if chart.whole else 1}f}",
                    x + each / 2,
                    top - 6,
                    class_="tick",
                    anchor="middle",
                )
            )
            x += each
        drawn.append(
            text(
                shortened(group.label, room - 6),
                middle,
                HEIGHT - BOTTOM + 20,
                class_="label",
                anchor="middle",
            )
        )
    drawn.append(line(LEFT, floor, WIDTH - RIGHT, floor, "axis"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    drawn.append(
        text(chart.y_label, 16, middle, class_="label", anchor="middle", turned=True)
    )
    if len(chart.names) > 1:
        drawn.append(_legend(chart))
    return picture(number, chart.title, chart.told, HEIGHT, "\n".join(drawn))


def _bar(role: Role, x: float, y: float, width: float, height: float) -> str:
    return element(
        "rect",
        x=x,
        y=y,
        width=max(1.0, width),
        height=max(0.5, height),
        class_=f"bar {role}",
    )


def _legend(chart: Bars) -> str:
    drawn: list[str] = []
    x = LEFT
    for name, role in chart.names:
        drawn.append(_bar(role, x, 9.0, 22.0, 14.0))
        drawn.append(text(name, x + 30, 20, class_="label"))
        x += 30 + width_of(name) + 28
    return element("g", "".join(drawn))
