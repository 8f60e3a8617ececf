"""A dialog whose text is moved by key while a button has the focus."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.screen import ModalScreen, ScreenResultType


class ScrolledTextDialog(ModalScreen[ScreenResultType]):
    """A dialog with a long text in the widget `#text`."""

    def action_scroll(self, lines: int) -> None:
        """Scroll the text down by `lines`, or up where that is negative."""
        self.query_one("#text", VerticalScroll).scroll_relative(y=lines, animate=False)
