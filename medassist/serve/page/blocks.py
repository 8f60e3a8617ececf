"""An answer as a tree of elements, with its doses marked, for the page to build.

No HTML crosses the wire: a node is a text, or a list of an element's name, its
attributes and its nodes. The page makes each by name, from a list of those that it
knows, so that nothing a model writes can become anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from markdown_it.token import Token

from medassist.core.clean import clean
from medassist.safety.review import DosePart, dose_marks
from medassist.text.answer_markdown import LANGUAGE, AnswerParser, NestedTooDeep

Node = str | list[Any]
"""A text, or `[element, attributes, nodes]`."""

FIRST_HEADING: Final = 4
"""Above an answer's own headings stand the page's, its question's and its pane's."""
BETWEEN_CELLS: Final = " | "
"""A row is looked at as one line: a drug and its dose stand in two cells."""


def blocks(text: str) -> list[Node]:
    """`text`, Markdown of a model, as nodes; plain where Markdown would lose text."""
    text = clean(text)
    try:
        root = _tree(AnswerParser().parse(text))
    except NestedTooDeep:
        root = _Element("div", {}, [_Element("pre", {}, [_Text(text)])])
    _mark(root)
    return _nodes(root.nodes)


@dataclass
class _Text:
    text: str
    marks: list[DosePart] = field(default_factory=list[DosePart])


@dataclass
class _Element:
    name: str
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    nodes: list[_Element | _Text] = field(default_factory=list["_Element | _Text"])


_BLOCKS: Final = frozenset(
    {
        *("p", "h4", "h5", "h6", "pre", "hr", "blockquote"),
        *("ul", "ol", "li", "table", "thead", "tbody", "tr"),
    }
)
"""Between them a text is not read on."""


def _tree(tokens: Sequence[Token]) -> _Element:
    root = _Element("div")
    open_now = [root]
    for token in tokens:
        here = open_now[-1]
        if token.nesting > 0:
            element = _Element(_name(token), _attributes(token))
            if not token.hidden:  # a paragraph of a tight list
                here.nodes.append(element)
                open_now.append(element)
        elif token.nesting < 0:
            if not token.hidden:
                open_now.pop()
        elif token.type == "inline":
            here.nodes += _tree(token.children or ()).nodes
        else:
            here.nodes += _leaf(token)
    return root


def _leaf(token: Token) -> Iterator[_Element | _Text]:
    match token.type:
        case "hardbreak" | "softbreak":
            yield _Element("br")
        case "hr":
            yield _Element("hr")
        case "code_inline":
            yield _Element("code", {}, [_Text(token.content)])
        case "fence" | "code_block":
            # What stands behind the fence may be text, and is not left out.
            info = token.info.strip()
            said = "" if LANGUAGE.fullmatch(info) else f"{info}\n"
            yield _Element("pre", {}, [_Text(said + token.content.rstrip("\n"))])
        case _:
            yield _Text(token.content)


def _name(token: Token) -> str:
    if token.tag[:1] == "h" and token.tag[1:].isdigit():
        return f"h{min(6, FIRST_HEADING - 1 + int(token.tag[1:]))}"
    return token.tag


def _attributes(token: Token) -> dict[str, Any]:
    start = token.attrGet("start")
    if start is not None:
        return {"start": int(start)}
    aligned = str(token.attrGet("style") or "").partition("text-align:")[2]
    return {"align": aligned} if aligned in ("left", "center", "right") else {}


def _mark(element: _Element) -> None:
    """Mark doses in each text that is read as one."""
    run: list[_Text] = []
    for place, one in enumerate(element.nodes):
        if isinstance(one, _Element) and one.name in _BLOCKS:
            _mark_texts(run)
            run = []
            _mark(one)
            continue
        if place and element.name == "tr":
            run.append(_Text(BETWEEN_CELLS))
        run += _texts(one)
    _mark_texts(run)


def _texts(node: _Element | _Text) -> Iterator[_Text]:
    """The texts of a node in order."""
    if isinstance(node, _Text):
        yield node
        return
    for one in node.nodes:
        yield from _texts(one)
    if node.name == "br":
        yield _Text("\n")


def _mark_texts(texts: Sequence[_Text]) -> None:
    found = dose_marks("".join(one.text for one in texts)) if texts else ()
    first = 0
    for one in texts:
        last = first + len(one.text)
        for mark in found:
            start, end = max(mark.span[0], first), min(mark.span[1], last)
            if start < end:
                span = (start - first, end - first)
                one.marks.append(DosePart(span, mark.amount))
        first = last


def _nodes(inside: Sequence[_Element | _Text]) -> list[Node]:
    found: list[Node] = []
    for one in inside:
        if isinstance(one, _Text):
            found += _pieces(one)
        else:
            found.append([one.name, one.attributes, _nodes(one.nodes)])
    return found


def _pieces(node: _Text) -> Iterator[Node]:
    """The text in pieces, marked and not; an amount goes before a part."""
    kept: list[DosePart] = []
    for mark in sorted(node.marks, key=lambda one: (not one.amount, one.span)):
        if all(_apart(mark.span, other.span) for other in kept):
            kept.append(mark)
    last = 0
    for mark in sorted(kept, key=lambda one: one.span):
        start, end = mark.span
        if last < start:
            yield node.text[last:start]
        kind = "amount" if mark.amount else "part"
        yield ["mark", {"kind": kind}, [node.text[start:end]]]
        last = end
    if last < len(node.text):
        yield node.text[last:]


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]
