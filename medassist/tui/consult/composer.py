"""Input of the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from textual import events
from textual.document._document import Document
from textual.widgets import TextArea
from textual.widgets.text_area import Selection

from medassist.core.clean import clean
from medassist.tui import keys
from medassist.tui.wording import consult as wording


class Composer(TextArea):
    """A few lines of text; Enter sends, and what is pasted is cleaned first.

    Args:
        questions: gives those that were asked so far, the oldest first.
        page: scrolls the panes by a page, down or up: the composer is too short to
            need the keys for it.
    """

    BINDINGS = keys.bindings("composer")
    BORDER_TITLE = ""

    def __init__(
        self, questions: Callable[[], Sequence[str]], page: Callable[[bool], None]
    ) -> None:
        self._questions = questions
        self._page = page
        self._recalled = ""
        """The earlier question that was brought back last."""
        super().__init__(
            id="composer",
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            compact=True,
        )

    # A priority key is handled before the keys that were typed ahead of it have
    # reached the text; what it does has to queue behind them.

    def action_earlier_question(self) -> None:
        self.call_later(self._recall, -1)

    def action_later_question(self) -> None:
        self.call_later(self._recall, 1)

    def _recall(self, step: int) -> None:
        """Go through the earlier questions, unless something else is written."""
        asked = list(dict.fromkeys(reversed(self._questions())))[::-1]
        recalled = bool(self.text) and self.text == self._recalled
        at = asked.index(self.text) if recalled and self.text in asked else len(asked)
        to = at + step
        if (self.text and at == len(asked)) or not 0 <= to <= len(asked):
            (self.action_cursor_up if step < 0 else self.action_cursor_down)()
            return
        self._recalled = asked[to] if to < len(asked) else ""
        self.text = self._recalled
        self.move_cursor(self.document.end)

    def action_newline(self) -> None:
        self.call_later(self.insert, "\n")

    def insert_prompt(self, text: str) -> None:
        """Put `text` in where the cursor is, and go to its first place to fill in."""
        before = self._lines.get_index_from_location(self.selection.start)
        self.replace(text, *self.selection)
        self.focus()
        if not self._select_place(before):
            self.move_cursor(self.document.end)

    @property
    def _lines(self) -> Document:
        # Textual declares what every kind of document has; this kind has indices too.
        return cast("Document", self.document)

    def action_next_place(self) -> None:
        self.call_later(self._next_place)

    def _next_place(self) -> None:
        after = self._lines.get_index_from_location(max(self.selection))
        if not (self._select_place(after) or self._select_place(0)):
            self.notify(wording.NO_PLACE, markup=False)

    def _select_place(self, start: int) -> bool:
        """Select the first place to fill in that stands at `start` or later."""
        from medassist.library.prompt_library import PLACE

        found = PLACE.search(self.text, start)
        if found is None:
            return False
        place = self._lines.get_location_from_index
        self.selection = Selection(place(found.start()), place(found.end()))
        self.scroll_cursor_visible()
        return True

    def replace_word(self, word: str, text: str) -> None:
        """Put `text` in the place of `word`, or behind all where that is gone."""
        at = self.text.find(word)
        if at < 0:
            self.text = f"{self.text}\n{text}"
        else:
            self.text = (
                f"{self.text[:at]}\n{text}{self.text[at + len(word) :]}".lstrip()
            )
        self.move_cursor(self.document.end)
        self.focus()

    def taken(self, written: str) -> None:
        """`written` has been sent; what was typed after it stays."""
        self.text = self.text.removeprefix(written)
        self.move_cursor(self.document.end)

    def action_cursor_page_up(self) -> None:
        self._page(False)

    def action_cursor_page_down(self) -> None:
        self._page(True)

    async def _on_paste(self, event: events.Paste) -> None:
        event.text = clean(event.text)
        await super()._on_paste(event)
        event.prevent_default()

    def put(self, question: str) -> None:
        """Put `question` in, before what may have been written meanwhile."""
        written = self.text.strip()
        both = (
            question
            if not written or written == question
            else f"{question}\n\n{written}"
        )
        self.text = both
        self.move_cursor(self.document.end)
        self.focus()
