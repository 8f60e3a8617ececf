"""Line of keys at the bottom of a consultation."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.widgets import Footer

from medassist.tui.keys import COMMANDS

SPARED: Final = {
    command.does for command in COMMANDS if command.id in ("new", "verdict", "history")
}
"""What a narrow window may cut off: the menu and the help have it too."""


class KeyLine(Footer):
    """Footer that keeps in a narrow window how to stop, to get help and to leave."""

    def compose(self) -> ComposeResult:
        keys = list(super().compose())
        yield from sorted(keys, key=lambda key: getattr(key, "action", "") in SPARED)
