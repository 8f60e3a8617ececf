"""Makes inline JATS readable: citations, powers, indices, formulas.

Everything here changes the tree in place, so that the plain text of an element is what
a reader should see. Dropping the tags alone gives "derived in )" and 10 to the sixth
as 106.
"""

from __future__ import annotations

import re

from lxml import etree

MATH = "{http://www.w3.org/1998/Math/MathML}"
GONE = "\ufdd0"
"""Stands for a citation that was taken out; a code point that no text has."""

_FOOTNOTES = ("fn", "table-fn", "aff", "corresp", "author-notes")
_READABLE = re.compile(r"[^\W\d_]{2}|\d{4}")  # a name, or a year
_NUMBER = re.compile(r"[-\u2212\u2013+]?\d+(?:[.,]\d+)?$")
_LEAD_IN = r"(?:(?:see(?: also)?|cf\.|e\.g\.,?|refs?\.?|reviewed in|reference)\s*)?"
# They begin with a character that is rare, since they run over all the text.
_RUN = re.compile(rf"{GONE}(?:[\s,;\u2013\u2014-]*{GONE})+")
_BRACKETED = re.compile(rf"[(\[]\s*{_LEAD_IN}{GONE}\s*[)\]]", re.IGNORECASE)
_LISTED = re.compile(rf"[,;]\s*{_LEAD_IN}{GONE}(?=\s*[)\],;])", re.IGNORECASE)
_FIRST = re.compile(rf"([(\[])\s*{GONE}\s*[,;]\s*")


def make_readable(part: etree._Element) -> None:
    """Write out citations, powers, indices and formulas within `part`.

    Example, as `text_of` reads it afterwards:
        `derived in <xref ref-type="bibr">12</xref> at 10<sup>6</sup> cells` ->
        `derived in at 10^6 cells`
    """
    for reference in part.iter("xref"):
        _cite(reference)
    for element in part.iter("sup"):
        _raise(element)
    for element in part.iter("sub"):
        _lower(element)
    for element in part.iter(f"{MATH}*"):
        _formula(element)


def text_of(element: etree._Element) -> str:
    """The text of an element of a readable tree, in one line, blanks collapsed."""
    text = " ".join("".join(element.itertext()).split())
    if GONE not in text:
        return text
    text = _BRACKETED.sub(GONE, _RUN.sub(GONE, text))
    text = _FIRST.sub(r"\1", _LISTED.sub(GONE, text))
    *before, last = text.split(GONE)
    return ("".join(piece.rstrip() for piece in before) + last).strip()


def _cite(reference: etree._Element) -> None:
    """Names and years stay, since sentences lean on them; numbers go."""
    kind = reference.get("ref-type")
    text = "".join(reference.itertext())
    if kind in _FOOTNOTES:
        _put(reference, "")
    elif (kind == "bibr" and not _READABLE.search(text)) or (
        kind is None and text.strip().isdigit()
    ):
        _put(reference, GONE)


def _raise(element: etree._Element) -> None:
    text = "".join(element.itertext())
    if GONE in text and not any(c.isalnum() for c in text):
        _put(element, GONE)  # only citations, with what stood between them
    elif _NUMBER.match(text) and _before(element)[-1:].strip():
        element.text = f"^{element.text or ''}"


def _lower(element: etree._Element) -> None:
    text = "".join(element.itertext())
    if text[:1].isdigit() and _before(element)[-1:].isdigit():
        element.text = f"_{element.text or ''}"


def _formula(element: etree._Element) -> None:
    match element.tag.removeprefix(MATH):  # type: ignore[union-attr]
        case "msup" | "mover":
            _between(element, "^" if element.tag == f"{MATH}msup" else "")
        case "msub":
            _between(element, "_")
        case "msubsup":
            _between(element, "_", "^")
        case "mfrac":
            _between(element, "/")
        case "msqrt":
            element.text = "√("
            _close(element, ")")
        case "mfenced":
            element.text = element.get("open", "(")
            between = element.get("separators", ",")[:1]
            _between(element, *[between] * (len(element) - 1))
            _close(element, element.get("close", ")"))
        case _:
            pass


def _between(element: etree._Element, *signs: str) -> None:
    """Put `signs` between the children; rows of several get brackets."""
    for child, sign in zip(element, signs, strict=False):
        child.tail = sign
    for child in element:
        if child.tag == f"{MATH}mrow" and len(child) > 1:
            child.text = "("
            _close(child, ")")


def _close(element: etree._Element, sign: str) -> None:
    if len(element):
        element[-1].tail = sign
    else:
        element.text = (element.text or "") + sign


def _before(element: etree._Element) -> str:
    previous, parent = element.getprevious(), element.getparent()
    if previous is not None:
        return previous.tail or "".join(previous.itertext())
    return (parent.text or "") if parent is not None else ""


def _put(element: etree._Element, text: str) -> None:
    """Make `text` all that is in an element; what follows it stays."""
    for child in list(element):
        element.remove(child)
    element.text = text
