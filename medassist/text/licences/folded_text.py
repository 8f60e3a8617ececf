"""Normalises licence texts for comparison: lower case, no accents, one hyphen.

Spellings that look alike to a reader become the same: `Non\u2011Commercial`,
`NonCommercial` and `non_commercial`; soft hyphens and fillers go.
"""

from __future__ import annotations

import re
import unicodedata

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HYPHENS = re.compile(r"[\u2010-\u2015\u2212\u00b7_/\\-]+")
_APOSTROPHES = re.compile(r"[\u2018\u2019\u02bc\u00b4`]")
_QUOTES = re.compile(r"[\"\u201c-\u201f\u00ab\u00bb*\[\]{}|]+")
# Letters that do not come apart into a letter and an accent.
_WHOLE = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "\u0131": "i", "æ": "ae", "œ": "oe"}
)


def fold(text: str) -> str:
    """`text` in lower case, without accents, hyphens and slashes as blanks.

    "Créative-Commons/BY" -> "creative commons by"
    """
    whole = unicodedata.normalize("NFKD", text)
    seen = "".join(
        each
        for each in whole
        if not unicodedata.combining(each) and unicodedata.category(each) != "Cf"
    )
    apart = _CAMEL.sub(" ", seen).casefold().translate(_WHOLE)
    plain = _QUOTES.sub(" ", _APOSTROPHES.sub("'", _HYPHENS.sub(" ", apart)))
    return " ".join(plain.split())


def foreign_letters(text: str) -> str:
    """The first word of `text` in a script other than Latin, or ""."""
    for word in text.split():
        for letter in word:
            if letter.isalpha() and not _is_latin(letter):
                return word
    return ""


def written_small(text: str) -> frozenset[str]:
    """Folded words of `text` that are written in small letters: no names."""
    words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text))
    return frozenset(
        part for word in words if word.islower() for part in fold(word).split()
    )


def _is_latin(letter: str) -> bool:
    # These are letters to Unicode, and signs to those who write them.
    if letter.isascii() or letter in "ªºµ":
        return True
    return "LATIN" in unicodedata.name(letter, "")
