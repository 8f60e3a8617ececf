"""Markdown of an answer, from a model that is not trusted.

The parser leaves out what could act or hide: links, images, raw HTML and entities
stand there as they were written. (An entity could name a control character after the
text has been cleaned; a link would offer a way out that an offline program has not.)
Of HTML three tags are read that models write in tables and formulas, and that Markdown
has no sign for: a line break, and what is raised or lowered where Unicode can say it.
What the parser would take for markup and leave out, it leaves in: a further cell of a
row, and the sign of a product. A formula of LaTeX is drawn as a line of Unicode where
that can be done, else as it was written; so is a task list with its boxes.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from itertools import pairwise
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, getLine, table
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from medassist.text.latex import as_unicode, in_unicode

DEEPEST = 18
"""Blocks within blocks, below the 20 beyond which the parser leaves text out."""


WIDEST_INDENT = 20
"""Cells that lists and quotes may take away from a line: a pane can be 36 wide."""
LANGUAGE: Final = re.compile(r"[\w+#.-]{0,20}")
"""Language behind a fence, which is no text."""
_FORMULA: Final = re.compile(
    r"\\\(([^`]{1,2000}?)\\\)|\\\[([^`]{1,2000}?)\\\]|\$\$([^`$]{1,2000}?)\$\$"
    # One dollar is money, unless what follows is no text.
    r"|\$(?![\s$])(?=[^$\n]*[\\^_={])([^`$\n]{1,300}?)(?<![\s\\])\$(?!\d)"
)
_TAG: Final = re.compile(
    r"<br {0,2}/?>|<(?P<tag>su[bp])>(?P<said>[^<>\s]{1,20})</(?P=tag)>", re.IGNORECASE
)
_BOX: Final = re.compile(r"\[([ xX])\] ")
_BEFORE_TIMES: Final = re.compile(r"[A-Za-z0-9)\]]")
_AFTER_TIMES: Final = re.compile(r"[A-Za-z0-9(\[]")


class NestedTooDeep(Exception):
    """The parser would leave text out; show the answer as plain text."""


class AnswerParser(MarkdownIt):
    """CommonMark with tables, without links, images, HTML and entities."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.enable(["table", "strikethrough"])
        self.disable(["link", "image", "autolink", "reference"])
        self.disable(["html_inline", "html_block", "entity"])
        self.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
        self.inline.ruler.before("emphasis", "times", _times)
        self.inline.ruler.before("escape", "formula", _formula)
        self.inline.ruler.before("escape", "tag", _tag)

    def parse(
        self, src: str, env: MutableMapping[str, Any] | None = None
    ) -> list[Token]:
        """The tokens of `src`; a line break that was written is one that is shown.

        Raises:
            NestedTooDeep: a block would be left out.
        """
        tokens = super().parse(src, env)
        if _widest_indent(tokens) > WIDEST_INDENT:
            raise NestedTooDeep
        _draw_boxes(tokens)
        for token in tokens:
            if token.level >= DEEPEST:
                raise NestedTooDeep
            for child in token.children or ():
                if child.type == "softbreak":
                    child.type = "hardbreak"
        return tokens


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table in which no cell is left out.

    Markdown drops the cells of a row that lie beyond the last heading: a model that
    writes a dose too many would lose it. They join the last cell.
    """
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    columns = 0
    row: list[str] = []
    last: Token | None = None
    for token in state.tokens[first:]:
        if token.type == "tr_open" and token.map:
            row, last = _cells(getLine(state, token.map[0])), None
        elif token.type == "th_open":
            columns += 1
        elif token.type == "inline":
            last = token
        elif token.type == "tr_close" and last is not None and len(row) > columns:
            last.content = " | ".join(cell.strip() for cell in row[columns - 1 :])
    return True


def _cells(line: str) -> list[str]:
    cells = escapedSplit(line.strip())
    if cells and not cells[0]:
        cells.pop(0)
    if cells and not cells[-1]:
        cells.pop()
    return cells


def _times(state: StateInline, silent: bool) -> bool:
    """A star between factors: as emphasis, 2*5*10 mg would be drawn as 2510 mg."""
    src, start = state.src, state.pos
    if src[start] != "*" or start == 0:
        return False
    end = start + 1
    while end < state.posMax and src[end] == "*":
        end += 1
    before, after = src[start - 1], src[end : end + 1]
    between = _BEFORE_TIMES.match(before) and _AFTER_TIMES.match(after)
    figures = before.isdigit(), after.isdigit()
    if not between or not (all(figures) if end > start + 1 else any(figures)):
        return False
    if not silent:
        state.pending += src[start:end]
    state.pos = end
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula between its signs; one that cannot be said in a line stays as it is.

    As Markdown it would lose its backslashes, and lowered letters become emphasis.
    """
    found = _FORMULA.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        source = next(part for part in found.groups() if part is not None)
        said = as_unicode(source)
        if said is None:
            state.pending += found[0]
        else:
            display = found[0].startswith(("$$", "\\["))
            _push_lines(state, said, display, ends=found.end() == state.posMax)
    state.pos = found.end()
    if not silent and not state.pending:  # a line has ended
        while state.src[state.pos : state.pos + 1] == " ":
            state.pos += 1
    return True


def _tag(state: StateInline, silent: bool) -> bool:
    """A line break, or what is raised or lowered: CO<sub>2</sub> is drawn as CO₂."""
    found = _TAG.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    said = found["said"] and in_unicode(found["said"], found["tag"].lower() == "sup")
    if said is None and found["said"]:
        return False
    if not silent and said:
        state.pending += said
    elif not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end()
    return True


def _push_lines(state: StateInline, said: str, display: bool, ends: bool) -> None:
    """Put `said` into the text, on lines of its own where the formula stands apart."""
    if display and (state.pending.strip() or state.tokens):
        state.pending = state.pending.rstrip()
        state.push("hardbreak", "br", 0)
    first, *rest = said.split("\n")
    state.pending += first
    for line in rest:
        state.push("hardbreak", "br", 0)
        state.pending += line
    if display and not ends:
        state.push("hardbreak", "br", 0)


def _draw_boxes(tokens: Sequence[Token]) -> None:
    """Draw what is to be done and what is done, at the head of an item of a list."""
    for before, token in pairwise(tokens[1:]):
        item = before.type == "paragraph_open" and token.type == "inline"
        if item and token.children and token.level >= 3:
            first = token.children[0]
            box = _BOX.match(first.content) if first.type == "text" else None
            if box is not None:
                done = box[1] in "xX"
                first.content = f"{'☑' if done else '☐'} {first.content[box.end() :]}"


def _widest_indent(tokens: Sequence[Token]) -> int:
    """The most cells that lists and quotes within each other take from a line."""
    widest = now = 0
    taken: list[int] = []
    for token in tokens:
        match token.type:
            case "list_item_open":
                taken.append(len(token.info) + 3 if token.info else 2)
            case "blockquote_open":
                taken.append(5)
            case "list_item_close" | "blockquote_close":
                now -= taken.pop()
                continue
            case _:
                continue
        now += taken[-1]
        widest = max(widest, now)
    return widest


def plain(text: str) -> str:
    """`text` as it is drawn, without its marks: a line for each block and row."""
    try:
        tokens = AnswerParser().parse(text)
    except NestedTooDeep:
        return text
    lines: list[str] = []
    row: list[str] | None = None
    for token in tokens:
        if token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            lines.append(" | ".join(row))
            row = None
        elif token.type == "inline":
            said = "".join(
                "\n" if child.type in ("hardbreak", "softbreak") else child.content
                for child in token.children or ()
            )
            (lines if row is None else row).append(said)
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip("\n"))
    return "\n".join(lines)


def parts(text: str) -> list[tuple[str, str]]:
    """The tables and blocks of code in an answer, each with what it is.

    A table is copied as the model wrote it, code without its fence.
    """
    try:
        tokens = AnswerParser().parse(text)
    except NestedTooDeep:
        return []
    lines = text.split("\n")
    found: list[tuple[str, str]] = []
    for token in tokens:
        if token.type == "table_open" and token.map:
            found.append(("table", "\n".join(lines[slice(*token.map)]).strip()))
        elif token.type in ("fence", "code_block"):
            found.append(("code", token.content.rstrip("\n")))
    return found
