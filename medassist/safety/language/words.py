"""The lists of words by which languages are known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

from medassist.safety.letters import folded, without_apostrophes

FOLDER: Final = Path(__file__).parent
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019`][^\W\d_]+)*")
READ: Final = ("german", "french", "spanish")
"""The languages that have rules of their own beside English."""
SHORTEST_OF_RULES: Final = 5
OF_CUES: Final = (
    *("now", "newer", "earlier", "previous"),
    *("but", "has", "had", "died", "no", "denies"),
)
"""Lists of small words of the rules that are of one language alone."""
SPELT_OUT_IN: Final = ("german", "swedish", "danish", "finnish")
"""Languages in which ue is typed where there is no umlaut on the keyboard."""
SPELT_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})


@cache
def english_words() -> frozenset[str]:
    """Words of English, in small letters and without marks."""
    return frozenset(rows("english.txt").split())


@cache
def foreign_words() -> Mapping[str, tuple[str, ...]]:
    """Every word of words.toml without its marks, and whose it is.

    The rules' words for now and then, for no and but, are of one language too.
    """
    found: dict[str, list[str]] = {}
    table = tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))
    for language, listed in table.items():
        typed = [*words(listed)]
        if language in READ:
            cues = language_file(language)["cues"]["words"]
            typed += _long(" ".join(cues[name] for name in OF_CUES))
        if language in SPELT_OUT_IN:
            typed += words(listed.translate(SPELT_OUT))
        for word in dict.fromkeys(typed):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


@cache
def rule_words() -> Mapping[str, tuple[str, ...]]:
    """The words of the rules of other languages than English, and whose they are.

    What rules read must be known as theirs. Many are Latin, and used in English too.
    """
    found: dict[str, list[str]] = {}
    for language in READ:
        for word in dict.fromkeys(_of_rules(language)):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


@cache
def language_file(language: str) -> dict[str, Any]:
    """How a language says what the rules look for: its file, which is read once."""
    file = FOLDER.parent / "red_flags" / "languages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _of_rules(language: str) -> Iterator[str]:
    """The whole words of the rules of a language; the short ones are anybody's."""
    said = language_file(language)
    phrases = chain.from_iterable((*said["concepts"].values(), *said["names"].values()))
    yield from _long(" ".join((*phrases, *said.get("spelt", {}).values())))


def _long(phrases: str) -> Iterator[str]:
    for word in dict.fromkeys(re.split(r"[\s/]", phrases)):
        if len(word) >= SHORTEST_OF_RULES and word.isalpha():
            yield from words(word)


@cache
def words_of(language: str) -> frozenset[str]:
    """The words that are known of one language."""
    return frozenset(
        word
        for table in (foreign_words(), rule_words())
        for word, whose in table.items()
        if language in whose
    )


def rows(name: str) -> str:
    """The lines of a file of this folder that are no comments, in one."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return " ".join(line for line in lines if not line.startswith("#"))


def words(text: str) -> Iterator[str]:
    """The words of `text` in small letters, without marks and apostrophes."""
    for match in WORD.finditer(text):
        yield without_apostrophes(folded(match.group()))
