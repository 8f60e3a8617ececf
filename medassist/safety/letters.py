"""Normalises look-alike characters, so that rules match what a reader sees.

The same word comes in many ways: an umlaut as one character or as two, a ligature, a
soft hyphen that nobody sees, a hyphen where a line ended. Rules that look for words
look at the plain text, and point at the characters of the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Span = tuple[int, int]

_ENDED_LINE: Final = re.compile(
    r"(?<=[^\W\d_])[-\u2010\u00ad][ \t]{0,8}\r?\n[ \t]{0,20}(?=[^\W\d_])"
)
"""A hyphen at the end of a line with a letter on either side."""
# Letters and digits that are another way to draw plain ones: ligatures, full width,
# the alphabets of mathematics.
_DRAWN_OTHERWISE: Final = ((0xFB00, 0xFB06), (0xFF10, 0xFF5A), (0x1D400, 0x1D7FF))
_APOSTROPHES: Final = str.maketrans("", "", "'\u2019`")
_HYPHENS: Final = "\u2010\u2011"
UPPER, LOWER = "\u00c0", "\u00e0"
"""Stand in for the capitals and the small letters beyond Latin-1 in `shape`."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A plain text and where each of its characters stands in the original.

    Attributes:
        text: Composed, without characters that are not seen; each no-break space is a
            space.
        starts: First character in the original of each; empty where nothing was
            changed.
        ends: The character after each, in the original.
    """

    text: str
    starts: Sequence[int] = ()
    ends: Sequence[int] = ()

    def span(self, start: int, end: int) -> Span:
        """Where `start` to `end` of the plain text stand in the original."""
        if not self.starts or start >= end:
            return start, end
        return self.starts[start], self.ends[end - 1]


def has_ended_line(text: str) -> bool:
    """Whether a word may go on in the next line: "fore-" and then "arm"."""
    return _ENDED_LINE.search(text) is not None


def plain(text: str, *, join_lines: bool = True) -> Plain:
    """`text` as a reader sees it; never raises, in a time proportional to the length.

    Args:
        text: The text.
        join_lines: Put a word together that a hyphen parts at the end of a line, where
            it goes on in small letters. Else the hyphen stays and the line goes on:
            "well-" and "known" are two words as well as one.
    """
    joined = _line_ends(text)
    if not joined and (text.isascii() or _is_plain(text)):
        return Plain(text)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at, size = 0, len(text)
    while at < size:
        if at in joined:
            if not join_lines:
                pieces.append("-")
                starts.append(at)
                ends.append(at + 1)
            at = joined[at]
            continue
        end = at + 1
        while end < size and unicodedata.combining(text[end]):
            end += 1
        piece = _composed(text[at:end])
        pieces.append(piece)
        starts += [at] * len(piece)
        ends += [end] * len(piece)
        at = end
    return Plain("".join(pieces), starts, ends)


def _line_ends(text: str) -> dict[int, int]:
    """Each hyphen that only ends a line, and where the word goes on."""
    return {
        match.start(): match.end()
        for match in _ENDED_LINE.finditer(text)
        if text[match.end()].islower()
    }


def _is_plain(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text) and not any(
        unicodedata.category(sign) in ("Cf", "Zs")
        or sign in _HYPHENS
        or _is_drawn_otherwise(sign)
        for sign in set(text)
        if sign > "\x7f"
    )


def _composed(cluster: str) -> str:
    """One letter with its marks; empty for what is not seen."""
    if cluster.isascii():
        return cluster
    sign = cluster[0]
    kind = unicodedata.category(sign)
    if kind == "Cf":
        return _composed(cluster[1:]) if len(cluster) > 1 else ""
    if kind == "Zs":
        return " " + cluster[1:]
    if sign in _HYPHENS:
        return "-" + cluster[1:]
    form = "NFKC" if _is_drawn_otherwise(sign) else "NFC"
    return unicodedata.normalize(form, cluster)


def _is_drawn_otherwise(sign: str) -> bool:
    return any(first <= ord(sign) <= last for first, last in _DRAWN_OTHERWISE)


class _Shapes(dict[int, int | str]):
    """For `str.translate`: what is looked up once is remembered."""

    def __missing__(self, code: int) -> int | str:
        found: int | str = code
        if code > 0xFF:
            match unicodedata.category(chr(code)):
                case "Lu" | "Lt":
                    found = UPPER
                case "Ll" | "Lm" | "Mn" | "Mc":
                    found = LOWER
                case _:
                    pass
        self[code] = found
        return found


_SHAPES: Final = _Shapes()


def shape(text: str) -> str:
    """`text`, of the same length, with every letter beyond Latin-1 as one of Latin-1.

    So a pattern of capitals and small letters (`CAPITAL`, `SMALL`) holds for every
    alphabet that has them. The standard library knows no such class, and a library that
    does takes five times as long to load.
    """
    return text if text.isascii() else text.translate(_SHAPES)


CAPITAL: Final = "A-Z\u00c0-\u00d6\u00d8-\u00de"
SMALL: Final = "a-z\u00df-\u00f6\u00f8-\u00ff"
"""Members of a class in a pattern for `shape`."""


# Letters that have no mark to take away; the last is the i without a dot.
_SPELT: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i"}
)


def without_apostrophes(word: str) -> str:
    """`word` as those write it who leave them out: "cant" for "can't"."""
    return word.translate(_APOSTROPHES)


def folded(word: str) -> str:
    """`word` in small letters and without the marks above and below them."""
    word = word.casefold()
    if word.isascii():
        return word
    apart = unicodedata.normalize("NFD", word.translate(_SPELT))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
