"""A recogniser of English, and of a few other languages, for short medical texts.

Every word of a text speaks for English, for other languages, or for none: words that
both have, names of drugs, abbreviations in capitals. Those that no table knows are
judged by their letters, three in a row. General recognisers were tried and take most
lines of clinical English for another language: metformin, bd and nocte are rare words
everywhere.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from medassist.safety.language.spoken import ENGLISH, Spoken
from medassist.safety.language.words import (
    READ,
    WORD,
    english_words,
    foreign_words,
    rows,
    rule_words,
    words_of,
)
from medassist.safety.letters import folded, plain, without_apostrophes

ENOUGH: Final = 0.5
"""By how many words another language must outweigh English in a whole text."""
ENOUGH_BY_LETTERS: Final = 1.0
"""The same where no word is known: three brand names are no other language."""
ENOUGH_IN_PART: Final = 1.5
"""The same in one of several sentences: there are many, and each can be odd."""
WORDS_IN_PART: Final = 2
"""Words of one language that such a sentence holds at least."""
BY_LETTERS: Final = 0.5
"""How much the letters of an unknown word weigh, beside 1 for a known one."""
BY_RULES: Final = 0.45
"""How much a word of the rules weighs: one alone may be Latin, in English."""
SHORTEST_UNKNOWN: Final = 4
LONGEST_ABBREVIATION: Final = 5
_MORE_ENDINGS: Final = ("adol", "aline", "opram", "azine", "amol", "amole")
OTHER_SCRIPT: Final = 3
"""Words in letters that are not Latin, from which a text is foreign."""

_ADDRESS: Final = re.compile(r"\S{0,80}(?:@|://|www\.)\S{0,200}")
_PART: Final = re.compile(r"[.!?;:]+(?=\s|$)|[\n\r\"\u201c-\u201e\u00ab\u00bb|]+")
_PARTICLES: Final = (
    "de la las los da do dos di del della van von der den ter le el al bin ibn y e"
)
_IN_NAMES: Final = frozenset(_PARTICLES.split())
# Scripts that part no words: a few signs are a word.
_WITHOUT_SPACES: Final = re.compile("[\u0e00-\u109f\u1780-\u17ff\u3040-\u9fff]")
_OF_GERMAN: Final = re.compile("[äöüÄÖÜß]")
"""Letters that are seen in English in a few names alone."""
_NOT_LATIN: Final = re.compile("[\u0370-\u1dff\u2c80-\ua7ff\ua800-\ud7ff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of words by which languages are known.

    Attributes:
        english: Words of English.
        foreign: Words of other languages, and which.
        of_rules: The same of the words of rules.
        read_alone: Words of the languages with rules that English has not.
        letters: Three letters in a row, and how much they speak for another language.
        drug_endings: How names of drugs end.
    """

    english: frozenset[str]
    foreign: Mapping[str, tuple[str, ...]]
    of_rules: Mapping[str, tuple[str, ...]]
    read_alone: frozenset[str]
    letters: Mapping[str, float]
    drug_endings: tuple[str, ...]


@cache
def tables() -> Tables:
    """The tables of this folder."""
    from medassist.safety.drug_names import TABLE

    letters = {piece[:3]: int(piece[3:]) / 10 for piece in rows("trigrams.txt").split()}
    doses = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    endings = (*doses["read"]["endings"].split(), *_MORE_ENDINGS)
    return Tables(
        english_words(),
        foreign_words(),
        rule_words(),
        frozenset[str]().union(*map(words_of, READ)) - english_words(),
        letters,
        endings,
    )


def threes(word: str) -> list[str]:
    """Three letters in a row, the ends of the word being a sign too."""
    ended = f"^{word}$"
    return [ended[at : at + 3] for at in range(len(ended) - 2)]


FEW_ENGLISH: Final = 4
"""Words of English for each one of another language from which only English is read."""
BY_CHANCE: Final = 1
"""Words by which a sentence of a language that is read can look more like another."""
SPEAKS_ENGLISH: Final = 1
"""Words of English in a sentence from which its rules read the text too."""


MOST_STRAY: Final = 1
"""Words of other languages in a text of so much English that nothing more is asked."""
ENGLISH_BEYOND_DOUBT: Final = 12


def whose_rules(text: str) -> tuple[str, ...]:
    """The languages whose rules read `text`: those of `spoken`, sooner.

    A text of many words of English with hardly one of a language that is read holds no
    sentence in it, and most texts are such.
    """
    found = {*WORD.findall(text.lower())}
    if not text.isascii():
        found = {folded(word) for word in found}
    known = tables()
    if (
        len(found & known.english) >= ENGLISH_BEYOND_DOUBT
        and len(found & known.read_alone) <= MOST_STRAY
    ):
        return (ENGLISH,)
    return spoken(text).rules


@lru_cache(maxsize=8)
def spoken(text: str) -> Spoken:
    """The languages of `text`.

    Never raises; the time is proportional to the length. One word in a foreign tongue
    makes no foreign text, unless the text has no other. What was looked at last is
    remembered: rules and notices ask for the same texts.
    """
    seen = _ADDRESS.sub(" ", plain(text).text)
    counts = _Counts()
    foreign: list[_Counts] = []
    english = False
    for part in _PART.split(seen):
        here = _Counts()
        here.add(part)
        if here.surplus >= ENOUGH_IN_PART and here.foreign >= WORDS_IN_PART:
            foreign.append(here)
        elif here.english >= SPEAKS_ENGLISH and here.surplus < 0:
            english = True
        counts.join(here)
    whole = counts.surplus >= (ENOUGH if counts.foreign else ENOUGH_BY_LETTERS)
    other_script = _other_script(seen)
    if not (whole or foreign or other_script):
        # "SpO2 82 % unter Raumluft" has one word of German, and none of English.
        few = FEW_ENGLISH * counts.foreign >= counts.english
        perhaps = counts.read() if few else set[str]()
        if _OF_GERMAN.search(seen) and counts.holds("german"):
            perhaps.add("german")
        rules = (ENGLISH, *(one for one in READ if one in perhaps))
        return Spoken(rules, foreign=False)
    if whole:
        foreign.append(counts)
    mostly = counts.read()
    found: set[str] = set()
    for here in foreign:
        languages = here.read() or here.read(but_for=BY_CHANCE) & mostly
        found |= languages or here.read(but_for=BY_CHANCE)
    if whole and not counts.foreign:
        # Told by its letters alone: whose they are is not known.
        found |= set(READ)
    rules = [ENGLISH] if english or not (whole and found) else list[str]()
    return Spoken((*rules, *(one for one in READ if one in found)), foreign=True)


def _other_script(text: str) -> bool:
    if text.isascii() or not _NOT_LATIN.search(text):
        return False
    found = 0.0
    latin = 0
    for match in WORD.finditer(text):
        word = match.group()
        if _WITHOUT_SPACES.search(word):
            found += max(1.0, len(word) / 2)
        elif len(word) > 1 and len(_NOT_LATIN.findall(word)) == len(word):
            found += 1
        elif len(word) > 1:
            latin += 1
    return found >= OTHER_SCRIPT or found > latin


class _Counts:
    """Words of a text that speak for English and for others."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._foreign: dict[str, float] = {}
        self._english = 0
        self._by_letters = 0.0

    def add(self, text: str) -> None:
        """Count the words of `text`, each once."""
        written = [match.group() for match in WORD.finditer(text)]
        known = tables()
        for at, word in enumerate(written):
            key = without_apostrophes(folded(word))
            if key in self._seen or len(key) < 2 or _joins_a_name(written, at):
                continue
            self._seen.add(key)
            theirs = known.foreign.get(key)
            ours = key in known.english
            of_rules = None if theirs or ours else known.of_rules.get(key)
            if theirs and not ours:
                self._count(theirs, 1.0)
            elif of_rules:
                self._count(of_rules, BY_RULES)
            elif theirs or _is_neutral(word, key, known):
                continue
            elif ours:
                self._english += 1
            elif len(key) >= SHORTEST_UNKNOWN:
                self._by_letters += _weight(key, known.letters)

    def _count(self, languages: Iterable[str], weight: float) -> None:
        for language in languages:
            self._foreign[language] = self._foreign.get(language, 0.0) + weight

    def join(self, other: _Counts) -> None:
        """Count what `other` counted too."""
        self._seen |= other._seen
        for language, weight in other._foreign.items():
            self._count((language,), weight)
        self._english += other._english
        self._by_letters += other._by_letters

    @property
    def english(self) -> int:
        """Words of English alone."""
        return self._english

    def read(self, but_for: int = 0) -> set[str]:
        """The languages with rules that have most words, or as many but for a few."""
        most = self.foreign - but_for
        if most <= 0:
            return set()
        return {one for one in READ if self._foreign.get(one, 0.0) >= most}

    def holds(self, language: str) -> bool:
        """Whether a word of `language` was counted."""
        return language in self._foreign

    @property
    def foreign(self) -> float:
        """Words of the language that has most."""
        return max(self._foreign.values(), default=0.0)

    @property
    def surplus(self) -> float:
        """By how many words the likeliest other language outweighs English."""
        return self.foreign - self._english + self._by_letters


def _joins_a_name(written: list[str], at: int) -> bool:
    """The small words of "Garcia de la Cruz"."""
    if written[at] not in _IN_NAMES:
        return False
    before = next((w for w in reversed(written[max(0, at - 2) : at]) if len(w) > 3), "")
    after = next((w for w in written[at + 1 : at + 3] if len(w) > 3), "")
    return before[:1].isupper() and after[:1].isupper()


def _is_neutral(word: str, key: str, known: Tables) -> bool:
    """Abbreviations in capitals and drugs: the same in every language."""
    if word.isupper() and len(word) <= LONGEST_ABBREVIATION:
        return True
    return len(key) > 6 and key.endswith(known.drug_endings)


def _weight(key: str, letters: Mapping[str, float]) -> float:
    pieces = threes(key)
    mean = sum(letters.get(three, 0.0) for three in pieces) / len(pieces)
    return max(-1.0, min(1.0, BY_LETTERS * mean))
