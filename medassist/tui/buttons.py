"""The buttons below a dialog."""

from __future__ import annotations

from textual.geometry import Size
from textual.layout import ArrangeResult
from textual.layouts.horizontal import HorizontalLayout
from textual.widget import Widget
from textual.widgets import Button


class WrappedRow(HorizontalLayout):
    """Widgets from left to right, on a further line where one has no room."""

    name = "wrapped-row"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        placements = super().arrange(parent, children, size, greedy)
        left = top = height = 0
        for place, placed in enumerate(placements):
            region = placed.region
            has_room = region.right - left <= size.width or not size.width
            if place and not has_room:
                left = region.x - placed.margin.left
                top, height = top + height, 0
            height = max(height, region.height + placed.margin.height)
            placements[place] = placed._replace(region=region.translate((-left, top)))
        return placements


class Buttons(Widget):
    """Buttons beside each other; none of them lies beyond the edge."""

    DEFAULT_CSS = """
    Buttons { width: 1fr; height: auto; overflow: hidden hidden; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._default_layout = WrappedRow()


def button(
    label: str, id: str, action: str | None = None, *, primary: bool = False
) -> Button:
    """A button of one line.

    Args:
        label: What it says.
        id: Its name in the styles.
        action: What it does; without one its screen is told that it was pressed.
        primary: It stands out.
    """
    variant = "primary" if primary else "default"
    return Button(label, variant, id=id, action=action, compact=True)
