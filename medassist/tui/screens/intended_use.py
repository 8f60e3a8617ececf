"""What the program is for, said once before it is used."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

INTENDED_USE_VERSION: Final = 1
"""Raised when the text changes in what it asks of the user; it is then shown again."""

TEXT: Final = """\
medassist puts one question to two language models on this computer and shows their \
answers side by side: a base model and one that was tuned for medicine. It is made \
for comparing and studying such models.

It is not a medical device. The models can be wrong, leave out what matters and \
invent what is not so, and they sound certain while doing it. Do not base a \
diagnosis, a treatment or a dose on what they write. Check every statement against \
a source that you trust, and decide yourself.

The pair that comes with the program is a small demonstration and not for clinical \
use at all.

Nothing leaves this computer: the program makes no network connection. What you \
write and what the models answer is not saved; it is gone when you quit.
"""


class IntendedUse(ModalScreen[bool]):
    """Dismissed with True when the user goes on, with False when not."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(False)", "Quit")]
    CSS_PATH = "intended_use.tcss"
    AUTO_FOCUS = "#accept"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static("Before you begin", markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(TEXT, markup=False)
            with Horizontal(id="answers"):
                yield Button(
                    "I understand", id="accept", variant="primary", compact=True
                )
                yield Button("Quit", id="decline", compact=True)

    @on(Button.Pressed, "#accept")
    def _on_accept(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#decline")
    def _on_decline(self) -> None:
        self.dismiss(False)
