"""Dialog that asks for one line of text."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from medassist.core.clean import clean_line
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import dialogs as wording


class OneLine(ModalScreen[str | None]):
    """Dismissed with what was typed, or with `None`."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.back("dismiss(None)")]
    CSS_PATH = "one_line.tcss"
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, label: str, text: str = "") -> None:
        super().__init__()
        self._title = title
        self._label = label
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title, markup=False, id="title")
            yield Static(self._label, markup=False, classes="label")
            yield Input(self._text, compact=True)
            with Buttons(id="answers"):
                yield button(wording.TAKE_IT, "take", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss(None)")

    @on(Input.Submitted)
    @on(Button.Pressed, "#take")
    def _on_take(self) -> None:
        self.dismiss(clean_line(self.query_one(Input).value))
