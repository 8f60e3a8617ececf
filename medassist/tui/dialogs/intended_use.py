"""Dialog with the intended use, shown once."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from medassist.intended_use import INTENDED_USE
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.dialogs.scrolled_text import ScrolledTextDialog
from medassist.tui.wording import dialogs as wording


class IntendedUse(ScrolledTextDialog[bool]):
    """Dismissed with True when the user goes on, with False when not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(False)"),
        # The buttons have the focus; where the window is low the text goes on below.
        *keys.bindings("text", page=8),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]
    CSS_PATH = "intended_use.tcss"
    AUTO_FOCUS = "#accept"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.BEFORE_YOU_BEGIN, markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(INTENDED_USE, markup=False)
            with Buttons(id="answers"):
                yield button(
                    wording.UNDERSTOOD, "accept", "screen.dismiss(True)", primary=True
                )
                yield button(wording.QUIT, "decline", "screen.dismiss(False)")
