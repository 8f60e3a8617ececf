"""SVG elements: escaped text, lines, and the marks of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from medassist.report.charts.axes import Axis
from medassist.report.elements import Role
from medassist.report.shown import shown_line

WIDTH = 720.0
LEFT, RIGHT, TOP = 64.0, 20.0, 40.0
"""Around a chart with an upright axis: its words, the edge, the legend."""
LEGEND_ROW, MOST_NAME = 20.0, 300.0
CHARACTER = 7.1  # about the width of a letter of the charts' 13 px type
Attribute = str | float | int | None


def element(name: str, content: str = "", **attributes: Attribute) -> str:
    """An element; `content` is markup, attributes are escaped here.

    `class_` stands for class, and `font_size` for font-size.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(
    words: str,
    x: float,
    y: float,
    *,
    class_: str = "label",
    anchor: str | None = None,
    turned: bool = False,
) -> str:
    """A line of text; `words` are untrusted."""
    return element(
        "text",
        escape(shown_line(words)) or " ",
        x=x,
        y=y,
        class_=class_,
        text_anchor=anchor,
        transform=f"rotate(-90 {_value(x)} {_value(y)})" if turned else None,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polyline(points: Iterable[tuple[float, float]], class_: str) -> str:
    """A line through points."""
    places = " ".join(f"{_value(x)},{_value(y)}" for x, y in points)
    return element("polyline", points=places, class_=class_)


CORNERS: dict[Role, tuple[tuple[float, float], ...]] = {
    "tuned": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "validation": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "two": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "three": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "four": ((0, -1.3), (1.2, 0.9), (-1.2, 0.9)),
    "five": ((-1.2, -0.9), (1.2, -0.9), (0, 1.3)),
    "six": ((-1.3, -0.5), (1.3, -0.5), (1.3, 0.5), (-1.3, 0.5)),
    "seven": ((-0.5, -1.3), (0.5, -1.3), (0.5, 1.3), (-0.5, 1.3)),
    "eight": ((-1.2, -0.6), (0, -1.3), (1.2, -0.6), (1.2, 0.6), (0, 1.3), (-1.2, 0.6)),
}
"""Corners of the marks that are no circle, in their own size."""


def mark(role: Role, x: float, y: float, size: float = 5.0) -> str:
    """The mark of a role: each has a shape of its own."""
    corners = CORNERS.get(role)
    if corners is None:
        return element("circle", cx=x, cy=y, r=size, class_=f"mark {role}")
    points = " ".join(
        f"{_value(x + dx * size)},{_value(y + dy * size)}" for dx, dy in corners
    )
    return element("polygon", points=points, class_=f"mark {role}")


def upright(axis: Axis, bottom: float) -> list[str]:
    """The vertical axis at the left, from `TOP` to `bottom`."""
    drawn = [text(axis.label, 16, (TOP + bottom) / 2, anchor="middle", turned=True)]
    for tick in axis.ticks:
        y = axis.place(tick, bottom, TOP)
        drawn.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"))
        drawn.append(
            text(axis.word(tick), LEFT - 8, y + 4, class_="tick", anchor="end")
        )
    return drawn


def legend(
    names: Iterable[tuple[str, Role]],
    sample: Callable[[Role, float], str],
    width: float,
) -> tuple[str, float]:
    """A legend: names, each behind a `sample` that is `width` wide.

    Returns:
        the names, of which the last row lies where the first one of a chart is; and the
        height of the rows above it, which a picture needs beyond its own.
    """
    rows: list[list[str]] = [[]]
    x = LEFT
    for name, role in names:
        said = shortened(name, MOST_NAME)
        needed = width + 8 + width_of(said)
        if rows[-1] and x + needed > WIDTH - RIGHT:
            rows.append([])
            x = LEFT
        rows[-1] += [sample(role, x), text(said, x + width + 8, 20)]
        x += needed + 28
    above = LEGEND_ROW * (len(rows) - 1)
    drawn = "".join(
        element(
            "g",
            "".join(row),
            transform=f"translate(0 {_value(LEGEND_ROW * place - above)})"
            if above
            else None,
        )
        for place, row in enumerate(rows)
    )
    return drawn, above


def picture(
    number: int,
    title: str,
    told: str,
    height: float,
    content: str,
    above: float = 0.0,
) -> str:
    """A complete SVG document.

    Args:
        number: of the chart on its page, for the ids.
        title: its name for those who do not see it.
        told: what is to be seen in it.
        height: in the units of `WIDTH`.
        content: the elements.
        above: what is drawn above zero.
    """
    ids = f"chart-{number}-title", f"chart-{number}-told"
    head = element("title", escape(shown_line(title)), id=ids[0]) + element(
        "desc", escape(shown_line(told)), id=ids[1]
    )
    return element(
        "svg",
        f"{head}\n{content}\n",
        viewBox=f"0 {_value(-above)} {_value(WIDTH)} {_value(height + above)}",
        role="img",
        aria_labelledby=" ".join(ids),
    )


def width_of(words: str) -> float:
    """Approximate width of a label."""
    return CHARACTER * len(words)


def shortened(words: str, room: float) -> str:
    """`words` shortened to fit into `room`."""
    most = max(4, int(room / CHARACTER))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def _value(value: str | float | int) -> str:
    # Two decimals are finer than any screen, and keep the files small and equal.
    return (
        f"{value:.2f}".rstrip("0").rstrip(".")
        if isinstance(value, float)
        else str(value)
    )
