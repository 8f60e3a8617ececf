"""Reads the words of a name that stand together: parts, initials, particles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from medassist.safety.identifiers import name_words, places
from medassist.safety.identifiers.name_words import (
    is_abbreviation,
    is_eponym,
    is_family,
    is_given,
    is_medical,
    is_nobodys,
    is_thing,
    keys,
    languages,
    table,
)
from medassist.safety.identifiers.text_page import TextPage, Word

MOST_PARTS: Final = 7
SHORTEST_SHOUTED: Final = 6
"""Letters of a name in capitals that is on no list: shorter ones are abbreviations."""
LANGUAGE_IS_HERE: Final = 4
"""What the words of a language weigh that a page has: two that English lacks."""
_ENDS: Final = '.!?:;\n\r"*-|\t#>_`\u2022\u00b7'
"""What a sentence, a row of a list or a cell of a table begins after."""
_IS_LISTED: Final = re.compile(
    r"(?:,|,? (?:and|or|und|oder|et|ou|y|o)) [^\W\d_a-z]|\s?[/|+]"
)
DOSE: Final = re.compile(
    r",? \(?\d+(?:[.,]\d+)?(?:[-/\u2013]\d+(?:[.,]\d+)?)* ?"
    r"(?:m[glL]\b|mcg|\u00b5g|\u03bcg|g\b|units?|IE|UI|IU|%|tab|cap|puff|mmol|[-x]|/)"
)
"""What follows a medicine."""


class NameCandidate(NamedTuple):
    """Words that may be one name.

    Attributes:
        first: Number of its first word on the page.
        last: Number of its last.
        parts: The words of it that are written large.
    """

    first: int
    last: int
    parts: tuple[Word, ...]


class Reader:
    """Reads the names of one page."""

    def __init__(self, page: TextPage) -> None:
        self.page = page
        self.text = page.text
        self.words = page.words
        self.taken: set[int] = set()
        self._german: list[bool] | None = None
        self._languages_here: frozenset[str] | None = None

    def languages_here(self) -> frozenset[str]:
        """Other languages than English that the page has."""
        if self._languages_here is None:
            count = languages(self.words)
            self._languages_here = frozenset(
                language
                for language, weight in count.items()
                if language != "english"
                and weight >= LANGUAGE_IS_HERE
                and 3 * weight >= count["english"]
            )
        return self._languages_here

    def is_word(self, word: Word) -> bool:
        """Whether it is a word of English or of another language of the page."""
        return name_words.is_word(word, self.languages_here())

    def is_german(self, number: int) -> bool:
        """Whether the sentence of a word is German: there a capital makes no name."""
        if self._german is None:
            self._german = list(self._languages())
        return number < len(self._german) and self._german[number]

    def _languages(self) -> Iterator[bool]:
        sentences: list[list[Word]] = [[]]
        for word, after in pairwise([*self.words, None]):
            if word is None:
                break
            sentences[-1].append(word)
            if after and re.search(
                r"(?<!\d)[.!?]\s|\n", self.text[word.end : after.start]
            ):
                sentences.append([])
        counted = [languages(sentence) for sentence in sentences]
        whole = sum(counted, Counter[str]())
        for sentence, count in zip(sentences, counted, strict=True):
            known = count if count["german"] != count["english"] else whole
            german = known["german"] > known["english"]
            yield from [german] * len(sentence)

    def span(self, run: NameCandidate) -> tuple[int, int]:
        return self.words[run.first].start, self.words[run.last].end

    def gap(self, one: int, other: int) -> str | None:
        if not 0 <= one < other < len(self.words):
            return None
        return self.text[self.words[one].end : self.words[other].start]

    def joined(self, one: int, other: int, gaps: tuple[str, ...]) -> bool:
        return self.gap(one, other) in gaps

    def read(
        self, at: int, *, strong: bool | None, needs_list: bool = False
    ) -> NameCandidate | None:
        """The name that begins with a word, or nothing.

        Args:
            at: Number of the word.
            strong: What stands before it says that it is a name; `None`: nothing does.
            needs_list: One of its first two words has to be on the lists.
        """
        if at >= len(self.words):
            return None
        first = self.words[at]
        if first.key in keys("particles") and (
            strong is not None or first.text.isupper()
        ):
            found = self._after_particles(at, strong)
            if found is not None:
                return found
        if not is_large(first) or first.key in keys("titles") or is_nobodys(first):
            return None
        if strong is False and not self.may_follow(at):
            return None
        if strong is None and not self._may_begin(at):
            return None
        parts = [first]
        last = at
        number = at + 1
        while number < len(self.words) and len(parts) < MOST_PARTS:
            step = self._step(last, number, parts, strong)
            if step is None:
                break
            last = step
            parts.append(self.words[step])
            number = step + 1
        suffix = last + 1
        if (
            suffix < len(self.words)
            and self.words[suffix].text in table()["suffixes"].split()
        ):
            last = suffix if self.joined(last, suffix, (" ", ", ")) else last
        if needs_list and not any(is_given(p) or is_family(p) for p in parts[:2]):
            return None
        if all(len(part.text) == 1 for part in parts) and not (
            strong and len(parts) > 1
        ):
            return None
        return NameCandidate(at, last, tuple(parts))

    def _after_particles(self, at: int, strong: bool | None) -> NameCandidate | None:
        """A name that begins small: "Le Goff", "de Vries", "DE LA CRUZ"."""
        own = at
        while own < min(at + 3, len(self.words)) and self.words[own].key in keys(
            "particles"
        ):
            own += 1
        if any(not self.joined(n - 1, n, (" ",)) for n in range(at + 1, own + 1)):
            return None
        if own >= len(self.words) or self.words[own].key in keys("particles"):
            return None
        known = is_given(self.words[own]) or is_family(self.words[own])
        if not (strong or known) or (strong is False and not self.may_follow(own)):
            return None
        found = self.read(own, strong=strong)
        if found is None:
            return None
        last = found.last + 1
        if strong is None and self.joined(found.last, last, (", ",)):
            given = self.words[last]
            if is_large(given) and is_given(given):
                return NameCandidate(at, last, (*found.parts, given))
        return NameCandidate(at, found.last, found.parts)

    def may_follow(self, at: int) -> bool:
        """Whether a word may be a name where something hints at one."""
        word = self.words[at]
        listed = is_given(word) or is_family(word)
        if is_thing(word) or ((is_medical(word) or is_eponym(word)) and not listed):
            return False
        if len(word.text) == 1:
            return True
        if is_abbreviation(word) and not listed:
            return False
        if word.text.isupper() and not listed:
            return len(word.text) >= SHORTEST_SHOUTED and not self.is_word(word)
        after = at + 1
        if after < len(self.words) and self.words[after].key in keys("named-after"):
            return False
        if DOSE.match(self.text, word.end):
            return False
        return not self.is_word(word) or is_given(word) or is_family(word)

    def _may_begin(self, at: int) -> bool:
        """Whether a word may be the first of a name that nothing announces."""
        word = self.words[at]
        if len(word.text) > 1:
            return is_given(word) or is_family(word) or not self.is_word(word)
        # An initial: "vitamin D. Next", "4 ng/L. Next" are none.
        if self.text[max(0, word.start - 1) : word.start].strip("( \n\t"):
            return False
        if self.begins_sentence(word.start) or not at:
            return True
        after = at + 1
        listed = after < len(self.words) and is_given(self.words[after])
        return (
            listed
            or self.words[at - 1].key
            in keys("taken") | keys("links") | places.loosely_before()
        )

    def _step(
        self, last: int, number: int, parts: list[Word], strong: bool | None
    ) -> int | None:
        """The next large word of the name, past particles, or nothing."""
        gap = self.gap(last, number)
        word = self.words[number]
        if gap is None:
            return None
        if len(parts[-1].text) == 1 and gap in (".", ". ", " ", ".-"):
            pass
        elif gap == ", ":
            return number if self._may_be_reversed(number, parts, strong) else None
        elif gap not in (" ", "-", "\u2019"):
            return None
        particle, _, rest = word.text.partition("-")
        if rest[:1].isupper() and particle in keys("particles"):  # al-Otaibi
            return number
        small = number
        while (
            small < min(number + 3, len(self.words))
            and self._is_particle_of(self.words[small], parts)
            and (small == number or self.joined(small - 1, small, (" ",)))
        ):
            small += 1
        if small > number and not self.joined(small - 1, small, (" ",)):
            return None
        if small >= len(self.words):
            return None
        word = self.words[small]
        if not is_large(word) or is_nobodys(word) or word.key in keys("titles"):
            return None
        if (
            small > number
            and strong is None
            and not (is_given(parts[0]) or is_family(parts[0]))
        ):
            return None
        return small if self._goes_with(word, parts, strong) else None

    def _is_particle_of(self, word: Word, parts: list[Word]) -> bool:
        """Whether it joins parts of a name: de la, bin, the El of Ibrahim El Khatib."""
        if word.key not in keys("particles"):
            return False
        if word.text.isupper():
            return parts[-1].text.isupper()
        return word.text.islower() or (
            len(word.text) > 1 and (is_given(parts[0]) or is_family(parts[0]))
        )

    def _goes_with(self, word: Word, parts: list[Word], strong: bool | None) -> bool:
        """Whether `word` can be of one name with what stands before it."""
        if len(word.text) == 1:
            initial = self.text[word.end : word.end + 1] == "." or word.text not in "AI"
            return not word.text.isascii() or initial
        listed = is_given(word) or is_family(word)
        if is_thing(word) and not listed:
            return False
        if (
            word.text.isupper()
            and len(word.text) > 1
            and not all(part.text.isupper() for part in parts)
        ):
            return len(word.text) > 3 and (listed or not self.is_word(word))
        return (strong is True and len(parts) < 2) or listed or not self.is_word(word)

    def _may_be_reversed(
        self, number: int, parts: list[Word], strong: bool | None
    ) -> bool:
        """A given name after a family name and a comma: "Keller, Anna"."""
        word = self.words[number]
        shouted = strong is not None and all(part.text.isupper() for part in parts)
        if (
            len(parts) > 1 + shouted
            or not is_large(word)
            or is_nobodys(word)
            or len(word.text) < 2
        ):
            return False
        if word.key in keys("titles") or is_thing(word) or is_eponym(word):
            return False
        if strong is not None:
            return is_given(word) or not self.is_word(word)
        first = parts[0]
        if is_thing(first) or is_eponym(first) or not self.begins_sentence(first.start):
            return False
        if self.is_word(first) and not is_family(first):
            return False
        unknown = (
            not self.is_word(word) and not is_medical(first) and not is_medical(word)
        )
        return is_given(word) or (unknown and not _IS_LISTED.match(self.text, word.end))

    def begins_sentence(self, start: int) -> bool:
        before = self.text[max(0, start - 3) : start].rstrip(" ")
        return not before or before[-1] in _ENDS


def is_large(word: Word) -> bool:
    """Whether `word` is written as a name: with a capital, or in a script without."""
    sign = word.text[0]
    return sign.isupper() or (not sign.isascii() and not sign.islower())
