"""The text of a file before it is put into a question, its identifiers marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.dialogs.identifiers import Outcome
from medassist.tui.face import face
from medassist.tui.wording import dialogs as wording

if TYPE_CHECKING:
    from medassist.safety.identifiers import Identifier

MOST: Final = 60_000
"""Characters that are laid out; what comes after them is counted."""


class Attached(ModalScreen[Outcome]):
    """Dismissed with what is to be done with the text.

    Args:
        about: which file it is, and how large.
        text: its text, cleaned.
        found: what in it may tell who the patient is.
        foreign: the rules for that cannot read all of it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss('cancel')"),
        *keys.bindings("identifiers"),
        *keys.bindings("text"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]
    CSS_PATH = "attached.tcss"
    # An Enter too many puts nothing in.
    AUTO_FOCUS = "#cancel"

    def __init__(
        self,
        about: str,
        text: str,
        found: Sequence[Identifier],
        *,
        foreign: bool = False,
    ) -> None:
        super().__init__()
        self._foreign = foreign
        self._about = about
        self._text = text
        self._found = tuple(found)

    def compose(self) -> ComposeResult:
        labels: dict[Outcome, str] = {
            "replace": wording.PUT_IN_REPLACED,
            "keep": wording.PUT_IN,
            "cancel": wording.CANCEL,
        }
        with Vertical(id="dialog"):
            yield Static(self._about, markup=False, id="title")
            yield Static(self._what_was_found, markup=False, id="found")
            with VerticalScroll(id="text"):
                yield Static(self._marked())
            with Buttons(id="answers"):
                for outcome, label in labels.items():
                    if outcome != "replace" or self._found:
                        yield button(
                            face(self).keymap.name(label),
                            outcome,
                            f"screen.dismiss('{outcome}')",
                        )

    @property
    def _what_was_found(self) -> str:
        below = sum(one.span[0] >= MOST for one in self._found)
        said = wording.marked_identifiers(len(self._found), below)
        if not self._foreign:
            return said
        from medassist.safety.language import IDENTIFIERS_NOTICE

        return f"{IDENTIFIERS_NOTICE} {said}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disables replacing where nothing was found to replace."""
        replaces = action == "dismiss" and parameters == ("replace",)
        return bool(self._found) or not replaces

    def _marked(self) -> Content:
        content = Content(self._text[:MOST])
        for one in self._found:
            start, end = one.span
            if start < MOST:
                style = "bold underline $warning"
                content = content.stylize(style, start, min(end, MOST))
        more = len(self._text) - MOST
        if more > 0:
            rest = Content.styled(wording.more_characters(more), "italic $quiet")
            content = Content("\n").join([content, rest])
        return content

    def action_scroll(self, lines: int) -> None:
        self.query_one("#text", VerticalScroll).scroll_relative(y=lines, animate=False)
