"""Names of people: after a title or another cue, from the lists, and by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from medassist.safety.identifiers.drugs import is_drug
from medassist.safety.identifiers.name_reader import Reader
from medassist.safety.identifiers.name_words import is_nobodys, is_word, keys
from medassist.safety.identifiers.names_announced import announced
from medassist.safety.identifiers.names_unannounced import unannounced
from medassist.safety.identifiers.text_page import Found, TextPage, Word
from medassist.safety.letters import folded

SHORTEST_KNOWN: Final = 3
"""Letters of a part of a name that is looked for in the rest of the text."""
_LETTERS: Final = re.compile(r"[^\W\d_]+")


def find(page: TextPage) -> Iterator[Found]:
    """The names of `page`, and towns that a small word announces."""
    reader = Reader(page)
    spans = list(announced(reader))
    known = {
        piece
        for start, end, _ in spans
        for piece in map(folded, _LETTERS.findall(page.text[start:end]))
        if len(piece) >= SHORTEST_KNOWN and piece not in keys("particles")
    }
    for start, end, sure in spans:
        yield "NAME", start, end, sure
    yield from unannounced(reader, known)
    yield from _again(page, known)


def _again(page: TextPage, known: set[str]) -> Iterator[Found]:
    """A name that was announced, wherever else it stands in the text.

    In small letters it is left where it is a word too (young, rose).
    """
    if not known:
        return
    for word in page.words:
        for match in _LETTERS.finditer(word.text):
            key = folded(match.group())
            if key not in known or is_drug(match.group()):
                continue
            part = Word(word.start, word.end, match.group(), key)
            if is_nobodys(part) or (part.text[0].islower() and is_word(part)):
                continue
            start = word.start + match.start()
            yield "NAME", start, start + len(part.text), True
