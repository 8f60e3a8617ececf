"""Text of a JATS body or abstract: paragraphs, lists and headings."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from finetune.data.jats.inline import MATH, make_readable, text_of
from finetune.data.jats.tex import write_out_tex

# What is no running text. Figures and tables can have permissions of their own, so
# their captions go with them.
DROPPED = (
    *("fig", "fig-group", "table-wrap", "table-wrap-group", "table", "caption"),
    *("supplementary-material", "inline-supplementary-material", "media"),
    *("graphic", "inline-graphic", "chem-struct-wrap", "chem-struct", "array"),
    *("disp-formula", "disp-formula-group", "object-id", "label"),
    *("fn", "fn-group", "ref-list", "permissions", "sub-article", "response"),
    *(f"{MATH}annotation", f"{MATH}annotation-xml"),
)
# Blocks that may stand within a paragraph, and cut it in two.
_WITHIN = (
    *("list", "disp-quote", "boxed-text", "def-list", "verse-group", "speech"),
    *("statement", "preformat"),
)
_DROPPED_SECTIONS = frozenset(
    {"supplementary-material", "display-objects", "floats", "ref-list"}
)
_DROPPED_TITLES = frozenset(
    {
        *("acknowledgement", "acknowledgements", "acknowledgment", "acknowledgments"),
        *("competing interests", "conflict of interest", "conflicts of interest"),
        *("competing interest", "declaration of competing interest", "disclosure"),
        *("conflict of interest statement", "disclosures", "disclosure statement"),
        *("authors' contributions", "author contributions", "authors contributions"),
        *("authors\u2019 contributions", "author contribution", "contributors"),
        *("funding", "financial support", "funding statement", "financial disclosure"),
        *("supporting information", "supplementary material", "supplementary data"),
        *("supplementary materials", "supplementary information", "additional files"),
        *("electronic supplementary material", "additional file"),
        *("abbreviations", "list of abbreviations", "references", "bibliography"),
        *("data availability", "data availability statement", "figures", "tables"),
        *("availability of data and materials", "pre-publication history"),
        *("consent for publication", "publisher's note", "publisher\u2019s note"),
    }
)


def plain_text(part: etree._Element) -> str:
    """The running text of a body or abstract: blocks with an empty line between.

    Headings stand on lines of their own, and only where text follows. The tree is
    changed in place and is of no use afterwards.
    """
    write_out_tex(part)
    for box in part.iter("boxed-text"):
        if (title := box.find("caption/title")) is not None:
            box.insert(0, title)  # a figure's caption goes, a box's title stays
    etree.strip_elements(part, *DROPPED, with_tail=False)
    for block in list(part.iter(*_WITHIN)):
        _lift(block)
    make_readable(part)
    blocks: list[str] = []
    headings: list[tuple[int, str]] = []
    for depth, text in _blocks(part, 0):
        if depth is not None:
            while headings and headings[-1][0] >= depth:
                headings.pop()
            headings.append((depth, text))
            continue
        blocks += [heading for _, heading in headings]
        headings.clear()
        blocks.append(text)
    return "\n\n".join(blocks)


def _blocks(part: etree._Element, depth: int) -> Iterator[tuple[int | None, str]]:
    """Headings with their depth, and texts without one."""
    for child in part:
        match child.tag:
            case "p":
                if text := text_of(child):
                    yield None, text
            case "boxed-text":
                yield from _blocks(child, depth + 1)
            case "sec":
                if not _is_dropped(child):
                    yield from _blocks(child, depth + 1)
            case "title":
                if text := text_of(child):
                    yield depth, text
            case "list-item":
                for number, (heading, text) in enumerate(_blocks(child, depth)):
                    yield heading, text if number else f"- {text}"
            case "def-item":
                pieces = [text for _, text in _blocks(child, depth)]
                if pieces:
                    yield None, ": ".join(pieces)
            case _ if len(child) and child.tag not in ("term", "verse-line", "attrib"):
                yield from _blocks(child, depth)
            case _:
                if text := text_of(child):
                    yield None, text


def _is_dropped(section: etree._Element) -> bool:
    if section.get("sec-type") in _DROPPED_SECTIONS:
        return True
    title = section.find("title")
    if title is None:
        return False
    return text_of(title).casefold().strip(" .:") in _DROPPED_TITLES


def _lift(block: etree._Element) -> None:
    """Put a block that stands within a paragraph behind it, and what followed it."""
    paragraph = block.getparent()
    while paragraph is not None and paragraph.tag == "p":
        rest = etree.Element("p")
        rest.text, block.tail = block.tail, None
        for sibling in list(block.itersiblings()):
            rest.append(sibling)
        paragraph.addnext(rest)
        paragraph.addnext(block)
        paragraph = block.getparent()
