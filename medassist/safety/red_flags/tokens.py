"""A text as words and numbers, with where clauses and sentences end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from medassist.safety.language.spoken import ENGLISH
from medassist.safety.language.words import SPELT_OUT
from medassist.safety.letters import without_apostrophes
from medassist.safety.red_flags.compounds import Compounds

CLAUSE: Final = 1
"""A comma, a colon, a dash: the list or the sentence may go on."""
SENTENCE: Final = 2
"""A full stop, a semicolon, a question: what was said before is over."""

# Every alternative takes at least one character and none can be taken in two ways, so
# the time is proportional to the length, whatever the text.
_PIECE: Final = re.compile(
    r"(?P<without>(?<![^\W_])[wW]/[oO](?![^\W_]))"
    r"|(?P<word>[^\W\d_]+(?:['\u2019`][^\W\d_]+)*)"
    r"|(?P<comma>(?<![\d,])\d{1,4},\d{1,2}(?!\d|,\d))"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?)"
    r"|(?P<query>(?<!\w)\?(?=[^\W\d_]))"
    r"|(?P<sentence>[.;!\n\r]|\?(?![^\W\d_]))"
    r"|(?P<clause>,|:|\?|\u2014|\u2013|->|(?<=\s)-(?=\s))"
)
_LETTERS: Final = str.maketrans({"æ": "ae", "œ": "oe", "ß": "ss"})
_NOT_ENGLISH: Final = (
    r"(?P<word>WORD)"
    # What is one thousand there, and what is one thousandth.
    r"|(?P<thousands>[1-9]\d{0,2}(?:(?:\.\d{3})+(?![\d,])|[ ]\d00(?![\d/]|,\d)))"
    r"|(?P<comma>(?<![\d,])\d{1,4},\d{1,3}(?!\d|,\d))"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<query>(?<!\w)\?(?=[^\W\d_]))"
    r"|(?P<sentence>[;!\n\r]|\?(?![^\W\d_])|STOP)"
    r"|(?P<clause>,|:|\?|\u2014|\u2013|->|(?<=\s)-(?=\s)|(?<=[^\W\d_]{2})\.(?=[:,]|[^\W\d_]))"
)
_WHOLE: Final = r"[^\W\d_]+(?:['\u2019`][^\W\d_]+)*"
_APART: Final = r"[^\W\d_]+"
"""A word of a language in which l'enfant is two."""
# "V.a.", "Pat.", "Fam.anamn.:" and "34. SSW" end no sentence.
_STOP: Final = (
    r"(?<=[^\W\d_]{2})(?<!\b[Pp]at)(?<!\b[Dd]r)(?<!\b[Ll]i)(?<!\b[Rr]e)(?<!\b[Cc]a)"
    r"(?<!\b[Bb]ds)(?<!\b[Ii]zq)(?<!\b[Dd]er)(?<!\b[Ss]td)(?<!\b[Mm]in)(?<!\b[Mm]o)"
    r"(?<!\b[Tt]gl)(?<!\b[Tt]bl)(?<!\b[Ss]yst)(?<!\b[Ll]t)(?<!\b[Ee]vtl)(?<!\b[Ff]am)"
    r"(?<!\bt\u00e4gl)(?<!\bpl\u00f6tzl)(?<!\b[Gg]gf)(?<!\b[Cc]hron)\.(?![:,]|[^\W\d_])"
    r"|(?<=\d)\.(?!\s?(?:SSW|ssw|Woche|woche|Tag|tag|Lebens|lebens|Monat|monat|Trim|\d))"
    r"|(?<=[^\w])\."
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words and numbers of a text; the four lists are of one length.

    Attributes:
        words: Normalised by `normal`; numbers with a point, without other commas.
        starts: First character of each.
        ends: The character after each.
        breaks: What stands before each: 0, `CLAUSE` or `SENTENCE`.
        colons: The places before which a colon stands.
    """

    words: list[str]
    starts: list[int]
    ends: list[int]
    breaks: list[int]
    colons: frozenset[int] = frozenset()

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


@cache
def _pieces(language: str) -> re.Pattern[str]:
    if language == ENGLISH:
        return _PIECE
    word = _APART if language == "french" else _WHOLE
    return re.compile(_NOT_ENGLISH.replace("WORD", word).replace("STOP", _STOP))


def spellings(word: str, language: str = ENGLISH) -> tuple[str, ...]:
    """The normal forms of a word of the rules: ploetzlich is plötzlich in German."""
    if language != "german" or word.isascii():
        return (normal(word),)
    return tuple(dict.fromkeys((normal(word), normal(word.translate(SPELT_OUT)))))


def tokens(
    text: str,
    language: str = ENGLISH,
    usual: Mapping[str, str] = MappingProxyType({}),
    compounds: Compounds | None = None,
) -> Tokens:
    """The words and numbers of `text`.

    Args:
        text: A plain one (`medassist.safety.letters`).
        language: Whose decimal signs, abbreviations and apostrophes it has.
        usual: By another spelling of a word the usual one; of a number its digits.
        compounds: Which words are two; both have the place of the whole.
    """
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    breaks: list[int] = []
    colons: list[int] = []
    pending = 0
    # One look at the whole text spares one at each word; one letter of Turkish grows.
    small = text.lower()
    for piece in _pieces(language).finditer(small if len(small) == len(text) else text):
        kind = piece.lastgroup
        if kind == "word":
            word = piece.group()
            word = word if _is_normal(word) else normal(word)
            if compounds is not None:
                *before, word = compounds.parts(word)
                for first in before:
                    words.append(first)
                    starts.append(piece.start())
                    ends.append(piece.end())
                    breaks.append(pending)
                    pending = 0
            words.append(word)
        elif kind == "clause":
            pending = pending or CLAUSE
            if piece.group() == ":":
                colons.append(len(words))
            continue
        elif kind == "sentence":
            pending = SENTENCE
            continue
        elif kind == "number":
            words.append(piece.group().replace(",", ""))
        elif kind == "thousands":
            words.append(piece.group().replace(".", "").replace(" ", ""))
        elif kind == "comma":
            words.append(piece.group().replace(",", "."))
        else:
            words.append(kind or "")
        start, end = piece.span()
        starts.append(start)
        ends.append(end)
        breaks.append(pending)
        pending = 0
    if usual:
        words = [usual.get(word, word) for word in words]
    return Tokens(words, starts, ends, breaks, frozenset(colons))
