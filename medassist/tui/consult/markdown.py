"""Markdown of an answer, from a model that is not trusted.

The parser leaves out what could act or hide: links, images, raw HTML and entities
stand there as they were written. (An entity could name a control character after the
text has been cleaned; a link would offer a way out that an offline program has not.)
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from textual.widgets import Markdown

DEEPEST = 18
"""Blocks within blocks, below the 20 beyond which the parser leaves text out."""


class NestedTooDeep(Exception):
    """The parser would leave text out; show the answer as plain text."""


class AnswerParser(MarkdownIt):
    """CommonMark with tables, without links, images, HTML and entities."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.enable(["table", "strikethrough"])
        self.disable(["link", "image", "autolink", "reference"])
        self.disable(["html_inline", "html_block", "entity"])

    def parse(
        self, src: str, env: MutableMapping[str, Any] | None = None
    ) -> list[Token]:
        """The tokens of `src`; a line break that was written is one that is shown.

        Raises:
            NestedTooDeep: a block would be left out.
        """
        tokens = super().parse(src, env)
        for token in tokens:
            if token.level >= DEEPEST:
                raise NestedTooDeep
            for child in token.children or ():
                if child.type == "softbreak":
                    child.type = "hardbreak"
        return tokens


class AnswerMarkdown(Markdown):
    """Shows an answer; links cannot be followed."""

    def __init__(self) -> None:
        super().__init__(open_links=False, parser_factory=AnswerParser)
