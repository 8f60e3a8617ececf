"""A text as the recognisers of identifiers read it: its words, and a shape of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from medassist.safety.letters import folded, shape

Found = tuple[str, int, int, bool]
"""Kind, first character, the one after the last, and whether it is sure."""

_WORD: Final = re.compile(r"(?<!\w)[^\W\d_]+(?:['\u2019-][^\W\d_]+)*(?!\w)")
_ELIDED: Final = re.compile(r"(?:[cdjlmnst]|qu)['\u2019]")
_OWNED: Final = ("'s", "\u2019s", "'S", "\u2019S")


class Word(NamedTuple):
    """A word, hyphens and apostrophes within it included.

    Attributes:
        start: Its first character; a French article before an apostrophe is none.
        end: The one after its last; an English 's is none.
        text: As written.
        key: In small letters and without marks.
    """

    start: int
    end: int
    text: str
    key: str


@dataclass(frozen=True)
class TextPage:
    """A plain text (`medassist.safety.letters.plain`).

    Attributes:
        text: The text.
    """

    text: str

    @cached_property
    def form(self) -> str:
        """Its shape (`medassist.safety.letters.shape`), for patterns."""
        return shape(self.text)

    @cached_property
    def words(self) -> list[Word]:
        """Its words, in order."""
        found: list[Word] = []
        text = self.text
        for match in _WORD.finditer(self.form):
            start, end = match.span()
            word = text[start:end]
            if end - start > 2:
                if word[-2:] in _OWNED:
                    end -= 2
                elided = _ELIDED.match(word)
                if elided and start + elided.end() < end:
                    start += elided.end()
                word = text[start:end]
            key = word.lower() if word.isascii() else folded(word)
            found.append(Word(start, end, word, key))
        return found
