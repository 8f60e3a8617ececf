"""Why each red flag is shown: the words that raised it, the rule, what it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Static

from medassist.core.clean import clean_line
from medassist.session.red_flags import Shown
from medassist.tui import keys

ABOUT = (
    "Fixed rules found this in what you wrote, before any model was asked. They remind "
    "and do not decide, and they miss things."
)


class FlagDetails(ModalScreen[bool]):
    """Dismissed with True when the flags are marked as read, else with False."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(False)"),
        *keys.same("red_flags", "dismiss(False)"),
        # The buttons have the focus; the text is moved all the same.
        *keys.bindings("text"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]  # noqa: RUF012
    CSS_PATH = "flag_details.tcss"
    AUTO_FOCUS = "Button"

    def __init__(self, shown: Sequence[Shown]) -> None:
        super().__init__()
        self._shown = tuple(shown)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static("Red flags", markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(ABOUT, markup=False, classes="about")
                for shown in self._shown:
                    yield from _parts(shown)
            with Horizontal(id="answers"):
                if any(not shown.read for shown in self._shown):
                    yield Button(
                        "Mark as read", id="read", variant="primary", compact=True
                    )
                yield Button("Back", id="back", compact=True)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#text", VerticalScroll).scroll_relative(y=lines, animate=False)

    @on(Button.Pressed, "#read")
    def _on_read(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#back")
    def _on_back(self) -> None:
        self.dismiss(False)


def _parts(shown: Shown) -> Iterator[Widget]:
    flag = shown.raised.flag
    state = "  (marked as read)" if shown.read else ""
    yield Static(f"{flag.title}{state}", markup=False, classes="flag")
    yield Static(flag.text, markup=False, classes="say")
    where = "" if shown.raised.alone else ", with what you asked before"
    # The words are the user's own, and could have been pasted.
    words = ", ".join(f"“{clean_line(word)}”" for word in shown.raised.words)
    yield Static(f"Raised by {words}{where}", markup=False, classes="why")
    yield Static(
        f"Rule {flag.id}, {flag.field}. Source: {flag.source}",
        markup=False,
        classes="why",
    )
