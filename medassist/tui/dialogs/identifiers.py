"""Dialog that lists possible identifiers in a text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from medassist.core.clean import clean_line
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.dialogs.scrolled_text import ScrolledTextDialog
from medassist.tui.face import face
from medassist.tui.wording import dialogs as wording

if TYPE_CHECKING:
    from medassist.safety.identifiers import Identifier
    from medassist.tui.face import Face

Outcome = Literal["replace", "keep", "cancel"]
Occasion = Literal["saving", "exporting"]

AROUND: Final = 32
"""Characters of the text before and after what was found."""
MOST: Final = 200
"""Lines that are laid out; what is found beyond them is counted."""


async def warn_of_identifiers(
    face: Face, text: str, occasion: Occasion = "exporting"
) -> Outcome:
    """Show possible identifiers in `text`, and ask what to do.

    Call it in a worker: it waits for the user. Where the rules can read the text and
    find nothing the user is not asked, and it is "keep". That nothing is found is no
    proof.

    Returns:
        "replace": with `medassist.safety.identifiers.replace`; "keep": as it is;
        "cancel": neither save nor export.
    """
    found, foreign = await asyncio.to_thread(identifiers_in, text)
    if not found and not foreign:
        return "keep"
    warning = IdentifierWarning(text, found, occasion, foreign=foreign)
    outcome = await face.push_screen_wait(warning)
    return outcome or "cancel"


class IdentifierWarning(ScrolledTextDialog[Outcome]):
    """Identifiers by kind, with context; one key replaces all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss('cancel')"),
        *keys.bindings("identifiers"),
        # The buttons have the focus; the list is moved all the same.
        *keys.bindings("text"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]
    CSS_PATH = "identifiers.tcss"
    # An Enter too many neither changes the text nor lets it out.
    AUTO_FOCUS = "#cancel"

    def __init__(
        self,
        text: str,
        found: Sequence[Identifier],
        occasion: Occasion,
        *,
        foreign: bool = False,
    ) -> None:
        super().__init__()
        self._foreign = foreign
        self._text = text
        self._found = tuple(found)
        self._occasion = occasion

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title(), markup=False, id="title")
            with VerticalScroll(id="text"):
                if self._foreign:
                    from medassist.safety.language import IDENTIFIERS_NOTICE

                    yield Static(IDENTIFIERS_NOTICE, markup=False, id="language")
                done = "exported" if self._occasion == "exporting" else "saved"
                about = wording.about_identifiers(done, bool(self._found))
                yield Static(about, markup=False, classes="about")
                yield from self._kinds()
            with Buttons(id="answers"):
                labels: dict[Outcome, str] = {
                    "replace": wording.REPLACE_ALL,
                    "keep": wording.KEEP_ALL,
                    "cancel": wording.CANCEL,
                }
                for outcome, label in labels.items():
                    if outcome != "replace" or self._found:
                        yield button(
                            face(self).keymap.name(label),
                            outcome,
                            f"screen.dismiss('{outcome}')",
                        )

    def _title(self) -> str:
        if self._found:
            return wording.MAY_TELL.format(count=len(self._found))
        return wording.CANNOT_READ

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable replacing if nothing was found."""
        replaces = action == "dismiss" and parameters == ("replace",)
        return bool(self._found) or not replaces

    def _kinds(self) -> Iterator[Widget]:
        from medassist.safety.identifiers import KINDS

        left = MOST
        for kind, name in KINDS.items():
            of_kind = [one for one in self._found if one.kind == kind]
            if not of_kind:
                continue
            yield Static(
                Content.assemble(
                    (name[:1].upper() + name[1:], "bold"),
                    wording.OF_KIND.format(count=len(of_kind), kind=kind),
                ),
                classes="kind",
            )
            shown = of_kind[: max(0, left)]
            left -= len(shown)
            for one in shown:
                yield Static(self._line(one), classes="one")
            if len(shown) < len(of_kind):
                more = wording.MORE.format(count=len(of_kind) - len(shown))
                yield Static(more, markup=False, classes="one")

    def _line(self, one: Identifier) -> Content:
        start, end = one.span
        before = self._text[max(0, start - AROUND) : start]
        after = self._text[end : end + AROUND]
        before = clean_line(before) + " " * before[-1:].isspace()
        after = " " * after[:1].isspace() + clean_line(after)
        return Content.assemble(
            (f"…{before}" if before.strip() else "", "$quiet"),
            (clean_line(one.text), "bold underline $warning"),
            (f"{after}…" if after.strip() else "", "$quiet"),
            "" if one.sure else (f"  {wording.LOOKS_LIKE_ONE}", "italic $quiet"),
        )


def identifiers_in(text: str) -> tuple[tuple[Identifier, ...], bool]:
    """Identifiers in `text`, and whether the rules cannot read all of it."""
    from medassist.safety.identifiers import find_identifiers
    from medassist.safety.language import is_foreign

    return find_identifiers(text), is_foreign(text)
