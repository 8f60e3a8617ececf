"""Textual widgets that draw the Markdown of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from medassist.text.answer_markdown import LANGUAGE, AnswerParser
from medassist.tui.consult.answer_table import AnswerTable
from medassist.tui.consult.tied import Unparted


def _tied(name: str) -> type[MarkdownBlock]:
    block = Markdown.BLOCKS[name]
    return type(f"Answer{block.__name__}", (Unparted, block), {})


TEXTS: Final = {
    name: _tied(name) for name in ("paragraph_open", "h1", "h2", "h3", "h4", "h5", "h6")
}
"""Paragraphs and headings that part no amount from its unit."""


class AnswerFence(MarkdownFence):
    """Block of code whose long lines are wrapped; Textual's are cut at the edge."""

    _styles: tuple[tuple[int, int, str], ...] = ()

    def compose(self) -> ComposeResult:
        if not LANGUAGE.fullmatch(self.lexer.strip()):
            yield Static(self.lexer, markup=False, classes="info")
        yield from super().compose()

    def set_content(self, content: Content) -> None:
        # Textual sets it anew with each change of style, without what was marked.
        for start, end, style in self._styles:
            content = content.stylize(style, start, end)
        super().set_content(content)

    @property
    def texts(self) -> list[str]:
        """The code."""
        return [self._highlighted_code.plain]

    def style(self, styles: Sequence[Sequence[tuple[int, int, str]]]) -> None:
        """Style parts of the code; see `AnswerTable.style`."""
        self._styles = tuple(styles[0])
        self.set_content(self._highlighted_code)


class AnswerMarkdown(Markdown):
    """Markdown of an answer; links cannot be followed."""

    BLOCKS = (
        Markdown.BLOCKS
        | TEXTS
        | {
            "table_open": AnswerTable,
            "fence": AnswerFence,
            "code_block": AnswerFence,
        }
    )

    def __init__(self) -> None:
        super().__init__(open_links=False, parser_factory=AnswerParser)
