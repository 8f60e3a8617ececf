"""What the program is for, said once before it is used."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from medassist.intended_use import INTENDED_USE
from medassist.tui import keys


class IntendedUse(ModalScreen[bool]):
    """Dismissed with True when the user goes on, with False when not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(False)"),
        # The buttons have the focus; where the window is low the text goes on below.
        *keys.bindings("text", page=8),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]  # noqa: RUF012
    CSS_PATH = "intended_use.tcss"
    AUTO_FOCUS = "#accept"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static("Before you begin", markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(INTENDED_USE, markup=False)
            with Horizontal(id="answers"):
                yield Button(
                    "I understand", id="accept", variant="primary", compact=True
                )
                yield Button("Quit", id="decline", compact=True)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#text", VerticalScroll).scroll_relative(y=lines, animate=False)

    @on(Button.Pressed, "#accept")
    def _on_accept(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#decline")
    def _on_decline(self) -> None:
        self.dismiss(False)
