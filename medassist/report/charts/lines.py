"""Line chart of losses, as SVG."""

from __future__ import annotations

from medassist.report.charts.axes import line_axes
from medassist.report.charts.svg import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    legend,
    line,
    mark,
    picture,
    polyline,
    text,
    upright,
    width_of,
)
from medassist.report.elements import Lines, Role

HEIGHT, BOTTOM = 340.0, 288.0
END = WIDTH - RIGHT


def draw_lines(chart: Lines, number: int) -> str:
    """The chart as SVG; `number` makes its ids its own on a page."""
    across, up = line_axes(chart)
    drawn = upright(up, BOTTOM)
    for tick in across.ticks:
        x = across.place(tick, LEFT, END)
        drawn.append(line(x, BOTTOM, x, BOTTOM + 5, "axis"))
        said = chart.words[int(tick)] if chart.words else across.word(tick)
        drawn.append(text(said, x, BOTTOM + 20, class_="tick", anchor="middle"))
    drawn.append(line(LEFT, BOTTOM, END, BOTTOM, "axis"))
    drawn.append(text(across.label, (LEFT + END) / 2, HEIGHT - 10, anchor="middle"))
    marked = {curve.role for curve in chart.curves if curve.marked}

    def sample(role: Role, x: float) -> str:
        point = mark(role, x + 15, 16, 4.0) if role in marked else ""
        return polyline([(x, 16), (x + 30, 16)], f"curve {role}") + point

    names, above = legend([(c.name, c.role) for c in chart.curves], sample, 29)
    drawn.append(names)
    if chart.mark is not None:
        value, said = chart.mark
        x = across.place(value, LEFT, END)
        drawn.append(line(x, TOP, x, BOTTOM, "pointer"))
        before = x + 6 + width_of(said) > END
        anchor = "end" if before else None
        drawn.append(text(said, x + (-6 if before else 6), TOP + 12, anchor=anchor))
    for curve in chart.curves:
        places = [
            (across.place(x, LEFT, END), up.place(y, BOTTOM, TOP))
            for x, y in curve.points
        ]
        drawn.append(polyline(places, f"curve {curve.role}"))
        if curve.marked:
            drawn += [mark(curve.role, x, y, 4.0) for x, y in places]
    content = "\n".join(drawn)
    return picture(number, chart.title, chart.told, HEIGHT, content, above)
