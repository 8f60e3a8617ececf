"""A text as words and numbers, with where clauses and sentences end."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from medassist.safety.letters import without_apostrophes

CLAUSE: Final = 1
"""A comma, a colon, a dash: the list or the sentence may go on."""
SENTENCE: Final = 2
"""A full stop, a semicolon, a question: what was said before is over."""

# Every alternative takes at least one character and none can be taken in two ways, so
# the time is proportional to the length, whatever the text.
_PIECE: Final = re.compile(
    r"(?P<without>(?<![^\W_])[wW]/[oO](?![^\W_]))"
    r"|(?P<word>[^\W\d_]+(?:['\u2019`][^\W\d_]+)*)"
    r"|(?P<comma>(?<![\d,])\d{1,4},\d{1,2}(?![\d,]))"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?)"
    r"|(?P<query>(?<!\w)\?(?=[^\W\d_]))"
    r"|(?P<sentence>[.;!\n\r]|\?(?![^\W\d_]))"
    r"|(?P<clause>,|:|\?|\u2014|\u2013|->|(?<=\s)-(?=\s))"
)
_LETTERS: Final = str.maketrans({"æ": "ae", "œ": "oe"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words and numbers of a text; the four lists are of one length.

    Attributes:
        words: Normalised by `normal`; numbers with a point, without other commas.
        starts: First character of each.
        ends: The character after each.
        breaks: What stands before each: 0, `CLAUSE` or `SENTENCE`.
    """

    words: list[str]
    starts: list[int]
    ends: list[int]
    breaks: list[int]

    def __len__(self) -> int:
        return len(self.words)


def normal(word: str) -> str:
    """`word` in small letters, without apostrophes and marks, with American vowels.

    Haemorrhage and hemorrhage, oedema and edema become one word; so do can't and cant.
    """
    word = word.lower()
    if not word.isalpha():
        word = without_apostrophes(word)
    if not word.isascii():
        # Only marks go: other letters stay what they are.
        apart = unicodedata.normalize("NFD", word.translate(_LETTERS))
        word = "".join(sign for sign in apart if not unicodedata.combining(sign))
    if "e" in word:
        word = word.replace("ae", "e").replace("oe", "e")
    return word


def _is_normal(word: str) -> bool:
    return (
        word.islower()
        and word.isascii()
        and word.isalpha()
        and "ae" not in word
        and "oe" not in word
    )


def tokens(text: str) -> Tokens:
    """The words and numbers of `text`, a plain one (`medassist.safety.letters`)."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    breaks: list[int] = []
    pending = 0
    # One look at the whole text spares one at each word; one letter of Turkish grows.
    small = text.lower()
    for piece in _PIECE.finditer(small if len(small) == len(text) else text):
        kind = piece.lastgroup
        if kind == "word":
            word = piece.group()
            words.append(word if _is_normal(word) else normal(word))
        elif kind == "clause":
            pending = pending or CLAUSE
            continue
        elif kind == "sentence":
            pending = SENTENCE
            continue
        elif kind == "number":
            words.append(piece.group().replace(",", ""))
        elif kind == "comma":
            words.append(piece.group().replace(",", "."))
        else:
            words.append(kind or "")
        start, end = piece.span()
        starts.append(start)
        ends.append(end)
        breaks.append(pending)
        pending = 0
    return Tokens(words, starts, ends, breaks)
