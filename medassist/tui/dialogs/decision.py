"""Dialog with two answers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import dialogs as wording


class Decision(ModalScreen[bool]):
    """Dismissed with True for the first answer, with False for the other or Esc.

    The other has the focus: an Enter too many changes nothing.

    Args:
        title: what it is about.
        text: the question.
        yes: the first answer; `None`: there is none.
        no: the other.
        besides: a third way; `took_besides` says whether it was taken.
    """

    BINDINGS: ClassVar[list[BindingType]] = [keys.back("dismiss(False)")]
    CSS_PATH = "decision.tcss"
    AUTO_FOCUS = "#no"

    def __init__(
        self, title: str, text: str, yes: str | None, no: str, besides: str = ""
    ) -> None:
        super().__init__()
        self._besides = besides
        self.took_besides = False
        self._title = title
        self._text = text
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title, markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(self._text, markup=False)
            with Buttons(id="answers"):
                if self._yes:
                    yield button(self._yes, "yes", "screen.dismiss(True)", primary=True)
                if self._besides:
                    yield button(self._besides, "besides", "screen.besides")
                yield button(self._no, "no", "screen.dismiss(False)")

    def action_besides(self) -> None:
        self.took_besides = True
        self.dismiss(False)


class Leave(Decision):
    """Asks whether to leave although something would be lost."""

    def __init__(self, loss: str, keymap: keys.Keymap) -> None:
        text = keymap.name(wording.leave(loss))
        super().__init__(wording.LEAVE, text, wording.QUIT, wording.GO_ON)
