"""Line of keys at the bottom of a screen."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Footer

from medassist.tui.keys import COMMANDS

SPARED: Final = {
    command.does for command in COMMANDS if command.id in ("new", "verdict", "history")
}
"""What a narrow window may leave out first: the menu and the help have it too."""


class KeyLine(Footer):
    """Footer that keeps in a narrow window how to stop, to get help and to leave.

    A key without room is left out: of half a word nobody knows what it does.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        keys = list(super().compose())
        room = self.screen.size.width
        for key in sorted(keys, key=lambda key: getattr(key, "action", "") in SPARED):
            room -= _width(key)
            if room >= 0:
                yield key
                room -= 1  # to the next one

    def on_resize(self) -> None:
        self.call_after_refresh(self.recompose)


def _width(key: Widget) -> int:
    said = (getattr(key, name, "") for name in ("key_display", "description"))
    return cell_len(" ".join(said))
