"""Words of a licence text that forbid or restrict use, in publishers' languages.

The tables are in restrictions.toml. A statement counts as free of limits only if
nothing in it denies or narrows but clauses that are known to be harmless: a link that
says CC BY is worth nothing beside a sentence that is not understood.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator

from medassist.frozen_model import FrozenModel
from medassist.text.licences.folded_text import fold, foreign_letters, written_small

TABLES = Path(__file__).with_name("restrictions.toml")
NEAR = 4  # words before a harmless phrase in which a denial turns it round
LEAST_WORDS = 6  # of a statement whose language can be told
FEW_WORDS = 5  # of a sentence in which a licence's name stands nearly alone
LEAST_READ = 0.2  # of its words that must be known ones
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_LICENCE_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/\S*", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.;:!?]+(?:\s|$)")
_NAMES_A_LICENCE = re.compile(
    r"creative ?commons|\bcc ?(?:by|0|zero)|public ?domain|open government licen[sc]e|"
    r"free of all copyright|verbatim copying|text and data mining"
)
_WORD = re.compile(r"[^\W\d_]+")
_BEFORE = 80  # characters in which the words before a harmless phrase are sought
_AROUND = 30  # characters of a statement that are quoted on either side of a word

Place = Literal["statement", "label", "copyright"]
Words = Annotated[
    frozenset[str], BeforeValidator(lambda text: frozenset(str(text).split()))
]


class _Tables(FrozenModel):
    harmless: tuple[re.Pattern[str], ...]
    commerce: tuple[re.Pattern[str], ...]
    changes: tuple[re.Pattern[str], ...]
    limits: tuple[re.Pattern[str], ...]
    doubts: Words
    grant: Words
    read: Words
    beside: Words


@dataclass(frozen=True)
class Restrictions:
    """The restricting words of a text; empty where there are none.

    Attributes:
        commerce: that forbid to use it commercially.
        changes: that forbid to change it.
        other: that narrow its use in another way.
        doubt: that may, or whose language is not read.
    """

    commerce: str = ""
    changes: str = ""
    other: str = ""
    doubt: str = ""


@cache
def _tables() -> _Tables:
    return _Tables.model_validate(tomllib.loads(TABLES.read_text("utf-8")))


def limits_of(text: str, place: Place = "statement") -> Restrictions:
    """The words in `text` that forbid or restrict use.

    Args:
        text: in any of the languages of restrictions.toml.
        place: where it stands. In a label, an unknown word says nothing; in a copyright
            line people's names stand, so that only words in small letters count there.
    """
    tables = _tables()
    shown = _LICENCE_ADDRESS.sub(" creative commons ", text)
    plain = _without_harmless(fold(_ADDRESS.sub(" ", shown)))
    found = Restrictions(
        commerce=_first(tables.commerce, plain),
        changes=_first(tables.changes, plain),
        other=_first(tables.limits, plain),
    )
    small = written_small(text)
    if place == "copyright":
        doubt = _denial(plain, tables.doubts & small)
        return Restrictions(found.commerce, found.changes, found.other, doubt)
    doubt = _denial(plain, tables.doubts) or foreign_letters(text) or _unread(plain)
    if not doubt and place == "statement":
        doubt = _not_understood(plain, small)
    return Restrictions(found.commerce, found.changes, found.other, doubt)


def is_beside(word: str) -> bool:
    """Whether a folded word may stand beside a licence's name and change nothing."""
    return word in _tables().beside


def _without_harmless(plain: str) -> str:
    def blank(match: re.Match[str]) -> str:
        start = match.start()
        before = _WORD.findall(match.string[max(0, start - _BEFORE) : start])[-NEAR:]
        return match[0] if tables.doubts & set(before) else " | "

    tables = _tables()
    for pattern in tables.harmless:
        plain = pattern.sub(blank, plain)
    return plain


def _first(patterns: tuple[re.Pattern[str], ...], plain: str) -> str:
    for pattern in patterns:
        if found := pattern.search(plain):
            return _around(plain, found)
    return ""


def _denial(plain: str, doubts: frozenset[str]) -> str:
    for match in _WORD.finditer(plain):
        if match[0] in doubts:
            return _around(plain, match)
    return ""


def _around(plain: str, match: re.Match[str]) -> str:
    """Finding with the words about it, as evidence."""
    start = plain.rfind(" ", 0, max(0, match.start() - _AROUND)) + 1
    end = plain.find(" ", match.end() + _AROUND)
    return plain[start : end if end >= 0 else None].strip(" |;,.")


def _unread(plain: str) -> str:
    tables = _tables()
    words = [word for word in _WORD.findall(plain) if len(word) > 1 or word in "aeyo"]
    known = sum(word in tables.read or word in tables.beside for word in words)
    if len(words) < LEAST_WORDS or known >= LEAST_READ * len(words):
        return ""
    return " ".join(words[:LEAST_WORDS])


def _not_understood(plain: str, small: frozenset[str]) -> str:
    """The first sentence that says more of the use than a grant does.

    One that names a licence is left alone, unless it is so short that what else stands
    in it narrows the licence.
    """
    tables = _tables()
    known = tables.grant | tables.read | tables.beside
    for sentence in _SENTENCE_END.split(plain):
        words = [word for word in _WORD.findall(sentence) if len(word) > 1]
        if len(words) > FEW_WORDS and _NAMES_A_LICENCE.search(sentence):
            continue
        if any(word in small and word not in known for word in words):
            return sentence.strip(" |;,.")
    return ""
