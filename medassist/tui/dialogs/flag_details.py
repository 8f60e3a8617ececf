"""Details of red flags: the words that raised each, the rule, its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from medassist.core.clean import clean_line
from medassist.session.red_flags import ShownFlag
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.consult.tied import TiedStatic
from medassist.tui.dialogs.scrolled_text import ScrolledTextDialog
from medassist.tui.wording import dialogs as wording


class FlagDetails(ScrolledTextDialog[bool]):
    """Dismissed with True when the flags are marked as read, else with False."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(False)"),
        *keys.same("red_flags", "dismiss(False)"),
        # The buttons have the focus; the text is moved all the same.
        *keys.bindings("text"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]
    CSS_PATH = "flag_details.tcss"
    AUTO_FOCUS = "Button"

    def __init__(self, shown: Sequence[ShownFlag]) -> None:
        super().__init__()
        self._shown = tuple(shown)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.RED_FLAGS, markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(wording.ABOUT_FLAGS, markup=False, classes="about")
                for shown in self._shown:
                    yield from _parts(shown)
            with Buttons(id="answers"):
                if any(not shown.read for shown in self._shown):
                    yield button(
                        wording.MARK_AS_READ,
                        "read",
                        "screen.dismiss(True)",
                        primary=True,
                    )
                yield button(wording.BACK, "back", "screen.dismiss(False)")


def _parts(shown: ShownFlag) -> Iterator[Widget]:
    flag = shown.raised.flag
    state = f"  {wording.MARKED_AS_READ}" if shown.read else ""
    yield Static(f"{flag.title}{state}", markup=False, classes="flag")
    yield TiedStatic(flag.text, markup=False, classes="say")
    # The words are the user's own, and could have been pasted.
    words = [clean_line(word) for word in shown.raised.words]
    raised = wording.raised_by(words, shown.raised.alone)
    yield TiedStatic(raised, markup=False, classes="why")
    rule = wording.RULE.format(id=flag.id, field=flag.field, source=flag.source)
    yield TiedStatic(rule, markup=False, classes="why")
