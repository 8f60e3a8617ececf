"""Dialog that asks for a path, with completion."""

from __future__ import annotations

from textual.widgets import Input

from medassist.tui.dialogs.choose import PathSuggester
from medassist.tui.dialogs.one_line import OneLine


class OnePath(OneLine):
    """Like `OneLine`; the right arrow takes the rest of the path that is offered."""

    CSS_PATH = "one_line.tcss"

    def on_mount(self) -> None:
        self.query_one(Input).suggester = PathSuggester()
