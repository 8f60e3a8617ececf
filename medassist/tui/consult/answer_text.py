"""The text of one answer, drawn while it is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Static

from medassist.core.clean import Cleaner

if TYPE_CHECKING:
    from medassist.tui.consult.markdown import AnswerMarkdown

LONGEST_MARKDOWN = 60_000
"""Characters beyond which an answer is shown as plain text: laying out Markdown again
and again would take the processor from the model."""


class AnswerText(Vertical):
    """Draws as much of an answer as there is; `draw` is called again as it grows.

    Markdown as long as Textual can lay it out, else the same text as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cleaner = Cleaner()
        self._taken: str = ""  # what of the engine's text has been taken
        self._shown = ""  # that, cleaned
        self._markdown: AnswerMarkdown | None = None
        self._plain: Static | None = None
        self._drawing = asyncio.Lock()

    @property
    def shown(self) -> str:
        """The text as the reader has it."""
        return self._shown

    async def draw(self, text: str) -> None:
        """Show `text`, usually what was shown and a further piece.

        Of two that draw at a time, each returns when all is there: a table, for one,
        has its rows only after it has been mounted, and who looks for doses in it
        earlier finds none.
        """
        async with self._drawing:
            if text == self._taken:
                return
            if not text.startswith(self._taken):
                await self._clear()
            piece = self._cleaner.push(text[len(self._taken) :])
            self._taken = text
            if not piece:
                return
            self._shown += piece
            if self._plain is not None:
                self._plain.update(self._shown)
                return
            if len(self._shown) > LONGEST_MARKDOWN:
                await self._show_plain()
                return
            try:
                if self._markdown is None:
                    from medassist.tui.consult.markdown import AnswerMarkdown

                    self._markdown = AnswerMarkdown()
                    await self.mount(self._markdown)
                await self._markdown.append(piece)
            except Exception:
                # Whatever Markdown makes of a model's text, the reader gets the text.
                await self._show_plain()

    async def _show_plain(self) -> None:
        self._plain = Static(self._shown, markup=False, classes="plain")
        await self.remove_children()
        self._markdown = None
        await self.mount(self._plain)

    async def _clear(self) -> None:
        self._cleaner = Cleaner()
        self._taken = self._shown = ""
        self._markdown = self._plain = None
        await self.remove_children()
