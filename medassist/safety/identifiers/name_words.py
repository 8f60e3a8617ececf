"""Tables of words that are names, and of words that are none: names.toml."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from medassist.safety.identifiers.drugs import is_drug
from medassist.safety.identifiers.text_page import Word
from medassist.safety.language.words import english_words, foreign_words
from medassist.safety.letters import folded

FOLDER: Final = Path(__file__).parent
MIN_MEDICAL: Final = 6
"""Letters; shorter words end so by chance: Rosa, Paloma."""
READ: Final = frozenset({"german", "french", "spanish"})
"""Languages beside English whose words are no names."""


@cache
def table() -> dict[str, Any]:
    """Contents of names.toml."""
    return tomllib.loads((FOLDER / "names.toml").read_text(encoding="utf-8"))


@cache
def keys(name: str) -> frozenset[str]:
    """A list of words of the table, in small letters and without marks."""
    return frozenset(folded(word) for word in table()[name].split())


@cache
def never() -> frozenset[str]:
    """Words that are nobody's name, whatever stands before them."""
    return keys("never")


def _listed(file: str, row: str) -> frozenset[str]:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    words = " ".join(line for line in lines if not line.startswith("#")).split()
    return frozenset((*words, *keys(row)))


@cache
def given_names() -> frozenset[str]:
    """The given names that are recognised without a cue."""
    return _listed("given_names.txt", "given")


@cache
def family_names() -> frozenset[str]:
    """The family names that are recognised without a cue."""
    return _listed("family_names.txt", "family")


@cache
def _pieces(key: str) -> tuple[str, ...]:
    for sign in "-'\u2019":
        if sign in key:
            return tuple(
                p for p in key.replace("\u2019", "-").replace("'", "-").split("-") if p
            )
    return (key,)


def is_given(word: Word) -> bool:
    """Whether a part of `word` is on the list of given names."""
    return not given_names().isdisjoint(_pieces(word.key))


def is_family(word: Word) -> bool:
    """Whether a part of `word` is on the list of family names."""
    known = family_names()
    return word.key in known or any(
        len(piece) > 2 and (piece in known or _of_a_man(piece) in known)
        for piece in _pieces(word.key)
    )


def _of_a_man(piece: str) -> str:
    """The form that lists have of a name of women: of Kowalska, of Ivanova."""
    if piece.endswith(("ska", "cka", "dzka")):
        return piece[:-1] + "i"
    return piece[:-1] if piece.endswith(("ova", "eva")) else piece


def is_word(word: Word, languages: frozenset[str] = READ) -> bool:
    """Whether it is a word of English, or of another language of the text.

    None is one with letters that none of them has: "Đỗ" is no "do".
    """
    if any(sign > "\u00ff" and sign not in "\u0153\u0152\u2019" for sign in word.text):
        return False
    return all(
        piece in english_words()
        or piece in keys("words-too")
        or not languages.isdisjoint(foreign_words().get(piece, ()))
        for piece in _pieces(word.key)
    )


_ABBREVIATED: Final = re.compile(
    r"(?!(?:Mc|Mac|De|Di|Da|La|Le|El|Al|Fitz|Van|O)[A-Z][a-z])"
    r"(?:[A-Z]{2,}s?-?(?=[a-z])|[A-Z]?[a-z]{0,3}[A-Z]+[a-z]*[A-Z]|[A-Z][a-z]{1,2}[A-Z])"
)


def is_abbreviation(word: Word) -> bool:
    """Capitals and small letters are mixed as in no name: NmU, TNFalpha, HNPCC-like."""
    return not word.text.isupper() and _ABBREVIATED.match(word.text) is not None


def is_known(name: str) -> bool:
    """Whether every word of `name` is of a language, a heading or a thing."""
    return all(
        is_word(word) or word.key in never() or is_medical(word) or is_eponym(word)
        for word in (Word(0, len(part), part, folded(part)) for part in name.split())
    )


def languages(words: Iterable[Word]) -> Counter[str]:
    """How much of English and of the other languages is in `words`.

    A word that both have speaks for each by half.
    """
    found: Counter[str] = Counter()
    for word in words:
        if (word.text[0].isupper() and len(word.text) < 3) or word.key in keys("units"):
            continue
        if word.key in keys("german-alone"):
            found["german"] += 2
            continue
        theirs = foreign_words().get(word.key, ())
        ours = word.key in english_words()
        for language in theirs:
            if language in READ:
                found[language] += 1 if ours else 2
        if ours and len(word.key) > 2 and not word.text[0].isupper():
            found["english"] += 1 if theirs else 2
        elif "german" not in theirs and _UMLAUT.search(word.text):
            found["german"] += not (is_given(word) or is_family(word))
    return found


_UMLAUT: Final = re.compile("[\u00e4\u00f6\u00fc\u00df]")


def is_nobodys(word: Word) -> bool:
    """Whether `word` is no part of any name: a drug, a heading, a day."""
    return word.key in never() or is_drug(word.text)


def is_eponym(word: Word) -> bool:
    """Whether a sign, an illness or a thing is called so."""
    known = keys("eponyms")
    pieces = [piece for piece in _pieces(word.key) if len(piece) > 2]
    return word.key in known or (
        bool(pieces) and all(piece in known for piece in pieces)
    )


def is_thing(word: Word) -> bool:
    """Whether it is a medicine, a germ, a country or another thing with a name."""
    return (
        word.key in keys("brands")
        or word.key in keys("things")
        or word.text in _medical_words()
    )


def is_medical(word: Word) -> bool:
    """Whether it is such a thing, or ends as words for illnesses and drugs do."""
    return is_thing(word) or (
        len(word.key) > MIN_MEDICAL and word.key.endswith(_endings())
    )


@cache
def _medical_words() -> frozenset[str]:
    return frozenset(table()["medical-words"].split())


@cache
def _endings() -> tuple[str, ...]:
    return tuple(table()["medical-endings"].split())
