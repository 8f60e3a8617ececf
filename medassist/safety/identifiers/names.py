"""Names of people: after a title or another cue, from the lists, and by their form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from medassist.safety.identifiers import places
from medassist.safety.identifiers.drugs import is_drug
from medassist.safety.identifiers.name_words import (
    is_eponym,
    is_family,
    is_given,
    is_medical,
    is_nobodys,
    is_thing,
    is_word,
    keys,
    languages,
    table,
)
from medassist.safety.identifiers.written import Found, Word, Written
from medassist.safety.letters import folded

SHORTEST_KNOWN: Final = 3
"""Letters of a part of a name that is looked for in the rest of the text."""
MOST_PARTS: Final = 7
MOST_TITLES: Final = 5
LANGUAGE_IS_HERE: Final = 4
"""What the words of a language weigh that a page has: two that English lacks."""
_ENDS: Final = '.!?:;\n\r"*-|\t#>_`\u2022\u00b7'
"""What a sentence, a row of a list or a cell of a table begins after."""
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_AFTER_A_CUE: Final = re.compile(r"\s?[:,;(=\u2013-]?[:.]?(?:\s{1,2}|$)[(\"\u201c'\u2018]?|[:=]")
_AFTER_A_HEADING: Final = re.compile(
    r"\s?[:=\u2013-]\s{0,2}|,?\s{1,3}[(\"\u201c'\u2018]?|[.:]\s|[:=]"
)
_ASKS_FOR_ONE: Final = re.compile(r"(?i:is|was|'s|as|by|appelle|llamo|llama|hei\u00dfe)$")
_DOSE: Final = re.compile(
    r",? \(?\d+(?:[.,]\d+)?(?:[-/\u2013]\d+(?:[.,]\d+)?)* ?"
    r"(?:m[glL]\b|mcg|\u00b5g|\u03bcg|g\b|units?|IE|UI|IU|%|tab|cap|puff|mmol|[-x]|/)"
)
_MEASURED: Final = re.compile(r"[ :]{1,2}[<>~]?\d")
_ABBREVIATIONS: Final = re.compile(r"[A-Z]{2,}s$")
_IS_LISTED: Final = re.compile(r"(?:,|,? (?:and|or|und|oder|et|ou|y|o)) [^\W\d_a-z]|\s?[/|+]")
_KIN_FOLLOWS: Final = re.compile(r" ?\((?:his |her |the )?([^\W\d_]{3,14})\)")
_AGE_FOLLOWS: Final = re.compile(
    r"(?:,| is| \()? ?(?:an? |the )?\d{1,3}[ -]?(?:years?|yrs?|yo\b|y/o|y\.o|[FM]\b|ans|a\u00f1os|j\u00e4hrig)"
)
_BED_FOLLOWS: Final = re.compile(r" ?[-\u2013:,(] ?(?:[Bb]ed|[Ww]ard|[Rr]oom|DOB|MRN|d\.o\.b)\b")


class Run(NamedTuple):
    """Words that may be one name.

    Attributes:
        first: Number of its first word on the page.
        last: Number of its last.
        parts: The words of it that are written large.
    """

    first: int
    last: int
    parts: tuple[Word, ...]


def find(page: Written) -> Iterator[Found]:
    """The names of `page`, and towns that a small word announces."""
    reader = _Reader(page)
    spans = list(reader.announced())
    known = {
        piece
        for start, end, _ in spans
        for piece in map(folded, _LETTERS.findall(page.text[start:end]))
        if len(piece) >= SHORTEST_KNOWN and piece not in keys("particles")
    }
    for start, end, sure in spans:
        yield "NAME", start, end, sure
    yield from reader.unannounced(known)
    yield from _again(page, known)


def _again(page: Written, known: set[str]) -> Iterator[Found]:
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


@cache
def _cues() -> dict[str, list[tuple[re.Pattern[str], bool]]]:
    """For the first word of each cue: its pattern, and whether it is a strong one."""
    found: dict[str, list[tuple[re.Pattern[str], bool]]] = {}
    rows = [(phrase, True) for phrase in table()["strong"]]
    rows += [(phrase, False) for phrase in table()["weak"]]
    for phrase, strong in sorted(rows, key=lambda row: -len(row[0])):
        first = folded(re.split(r"[ .]", phrase)[0])
        words = re.escape(phrase).replace(r"\ ", " ").replace("'", "['\u2019]")
        form = re.compile(rf"(?i:{words})(?![^\W\d_])")
        found.setdefault(first.removeprefix("m'"), []).append((form, strong))
        if "'" in first:
            found.setdefault(first.partition("'")[0], []).append((form, strong))
    return found


class _Reader:
    """Reads the names out of one page."""

    def __init__(self, page: Written) -> None:
        self.page = page
        self.text = page.text
        self.words = page.words
        self._taken: set[int] = set()
        self._german: list[bool] | None = None
        self._languages_here: frozenset[str] | None = None

    # Names that something before them announces.

    def announced(self) -> Iterator[tuple[int, int, bool]]:
        """First character and the one after the last of each, and whether it is sure."""
        titles, short = keys("titles"), keys("titles-short")
        relatives, cues = keys("relatives"), _cues()
        for number, word in enumerate(self.words):
            if word.start in self._taken:
                continue
            run: Run | None = None
            if word.key in titles or word.key in short:
                run = self._titled(number)
            if run is None and word.key in relatives:
                run = self._related(number)
            if run is None and word.key in cues:
                run = self._cued(number)
            if run is not None:
                span = self._span(run)
                self._taken.update(w.start for w in self.words[run.first : run.last + 1])
                yield *span, True

    def _titled(self, number: int) -> Run | None:
        word = self.words[number]
        stop = self.text[word.end : word.end + 1] == "."
        if word.key in keys("titles-short") and not (stop and word.text[0].isupper()):
            return None
        at = number + 1
        # "Prof. Dr. med. X", "Mr and Mrs X"
        while at < min(number + MOST_TITLES, len(self.words)) and (
            self.words[at].key in keys("titles") or self.words[at].key in keys("after-titles")
        ):
            at += 1
        if not self._joined(at - 1, at, ("", ".", ". ", " ", ": ", ".: ")):
            return None
        if word.text[0].islower():
            found = self._read(at, strong=False)
            if found is None and word.key in ("mr", "mrs", "ms", "dr"):
                return self._small(at)
            return found
        found = self._read(at, strong=True)
        if word.key in keys("titles-short") and found and len(found.parts[-1].text) == 1:
            return None
        return found

    def _related(self, number: int) -> Run | None:
        at = self._past_links(number + 1)
        word = self.words[number]
        gap = self._gap(at - 1, at)
        if gap is None or not re.fullmatch(r"'?s?(?: ?[,(:\u2013-])? ?[(\"]?", gap):
            return None
        if word.end < len(self.text) and self.text[word.end] in ".;!?\n":
            return None
        return self._read(at, strong=False, needs_list=self._is_german(at))

    def _cued(self, number: int) -> Run | None:
        word = self.words[number]
        for form, strong in _cues()[word.key]:
            match = form.match(self.text, word.start)
            if match is None:
                continue
            if strong:
                self._taken.update(
                    w.start for w in self.words[number : number + 4] if w.start < match.end()
                )
            if strong and word.key == "name" and self._names_a_thing(number):
                return None
            after = (_AFTER_A_HEADING if strong else _AFTER_A_CUE).match(self.text, match.end())
            at = number
            while at < len(self.words) and self.words[at].start < match.end():
                at += 1
            if not strong or self.words[at - 1].key in ("is", "was"):
                at = self._past_links(at)
            if after is None or at >= len(self.words):
                continue
            gap = self.text[max(match.end(), self.words[at - 1].end) : self.words[at].start]
            if len(gap) > 4 or any(sign.isdigit() or sign in "|\n" for sign in gap.strip(" ")):
                continue
            if "\n" in gap and not strong:
                continue
            run = self._read(at, strong=strong, needs_list=not strong and self._is_german(at))
            if run is None and strong and _ASKS_FOR_ONE.search(match.group()):
                run = self._small(at)
            if run is not None:
                return run
        return None

    def _names_a_thing(self, number: int) -> bool:
        """ "Drug name: X"."""
        return number > 0 and self.words[number - 1].key in keys("named-things")

    def _past_links(self, at: int) -> int:
        links = keys("links")
        most = at + 2
        while (
            at < min(most, len(self.words))
            and (self.words[at].key in links or self.words[at].key in keys("relatives"))
            and self.words[at].text[0].islower()
            and self._joined(at - 1, at, (" ", ", ", "'s ", " ("))
        ):
            at += 1
        return at

    def _small(self, at: int) -> Run | None:
        """A name in small letters after a title or "name is": words of no language."""
        last = at
        while (
            last < min(at + 3, len(self.words))
            and self.words[last].text.islower()
            and len(self.words[last].text) > 2
            and not self._is_word(self.words[last])
            and not is_thing(self.words[last])
            and not is_nobodys(self.words[last])
            and (last == at or self._joined(last - 1, last, (" ",)))
        ):
            last += 1
        return Run(at, last - 1, tuple(self.words[at:last])) if last > at else None

    # Names that nothing announces.

    def unannounced(self, known: set[str]) -> Iterator[Found]:
        """Names from the lists, by their form, or known from elsewhere in the text."""
        left_alone = -1  # where the last thing ended that is no name
        number = 0
        while number < len(self.words):
            word = self.words[number]
            town = self._town(number)
            if town is not None:
                number = town.last + 1
                yield "PLACE", *self._span(town), False
                continue
            run = None if word.start in self._taken else self._read(number, strong=None)
            if run is None:
                if is_drug(word.text) or word.key in keys("brands") or is_eponym(word):
                    left_alone = word.end
                number += 1
                continue
            number = run.last + 1
            kind, sure = self._judged(run, known, left_alone)
            if sure is None:
                if is_thing(run.parts[-1]) or is_eponym(run.parts[-1]) or kind == "thing":
                    left_alone = run.parts[-1].end
                continue
            yield kind, *self._span(run), sure

    def _judged(self, run: Run, known: set[str], left_alone: int) -> tuple[str, bool | None]:
        """What `run` is, and whether for sure; `None`: it is no identifier."""
        parts, text = run.parts, self.text
        start, end = self._span(run)
        full = [part for part in parts if len(part.text) > 1]
        if any(part.key in known and not self._is_word(part) for part in full):
            return "NAME", True
        if not full or all(self._is_word(p) and not (is_given(p) or is_family(p)) for p in full):
            return "", None
        if self._is_medical(run):
            return "thing", None
        begins = self._begins_sentence(start)
        listed = [p for p in full if is_given(p) or is_family(p)]
        given = [p for p in full if is_given(p)]
        own = [p for p in listed if not is_eponym(p)]
        before = self._before(run)
        spoken = self._does(run) and (bool(listed) or not all(map(self._is_word, full)))
        german = self._is_german(run.first)
        shouted = all(part.text.isupper() for part in full)
        if spoken or self._is_followed_by_a_person(end):
            return "NAME", True
        if self._is_place(run, before, german):
            return "PLACE", False
        if len(parts) > 1 and listed and (own or len(listed) > 1):
            unknown = [p for p in full if p not in listed]
            if shouted and any(self._is_word(p) or is_thing(p) for p in unknown):
                return "", None
            if german and not given:
                return "", None
            return "NAME", bool(own)
        if shouted and len(full) == 1:
            return "", None
        if given and not begins and not self._is_word(given[0]) and not german and own:
            return "NAME", not shouted
        if own and not shouted and (not begins or self._goes_on(end) or self._owns(end)):
            if german and (not given or begins):
                return "", None
            if begins and all(map(self._is_word, full)):
                return "", None
            return "NAME", False
        if german or all(map(is_eponym, full)):
            return "", None
        return self._by_form(run, full, begins, left_alone)

    def _by_form(
        self, run: Run, full: list[Word], begins: bool, left_alone: int
    ) -> tuple[str, bool | None]:
        """Words that no list and no language knows, written as names are."""
        start, end = self._span(run)
        if any(self._is_word(part) or _ABBREVIATIONS.match(part.text) for part in full):
            return "", None
        initials = len(run.parts) > len(full)
        foreign = any(not part.text[0].isascii() and part.text.islower() for part in full)
        if self._is_medicine(run, left_alone):
            return "thing", None
        if self._reversed(run) or self._owns(end):
            return "NAME", False
        if all(part.text.isupper() for part in full):
            return "", None
        if initials and run.parts[0] not in full and full[0].text[1:2].islower():
            return "NAME", False
        if len(full) > 1 and (not begins or self._goes_on(end)):
            return "NAME", False
        if places.is_town(self.text[start:end]) and not begins:
            return "PLACE", False
        if (not begins and len(full[0].text) > 2) or foreign:
            return "NAME", False
        return "", None

    def _town(self, number: int) -> Run | None:
        """A town of the list after "in", of up to three words."""
        word = self.words[number]
        if not number or not word.text[0].isupper() or word.start in self._taken:
            return None
        before = self.words[number - 1].key
        if before not in _loosely_before() or not self._joined(number - 1, number, (" ",)):
            return None
        for last in range(min(number + 2, len(self.words) - 1), number - 1, -1):
            words = self.words[number : last + 1]
            name = self.text[words[0].start : words[-1].end]
            if "\n" in name or not words[-1].text[0].isupper() or not places.is_town(name):
                continue
            loose = before in ("de", "of", "to", "von", "a", "around")
            if not (loose and (is_given(word) or is_family(word))) and not is_eponym(word):
                return Run(number, last, tuple(words))
        return None

    def _is_place(self, run: Run, before: str, german: bool) -> bool:
        """A word after "in" that nobody knows."""
        if before not in ("in", "near", "aus", "nach") or german:
            return False
        name = self.text[slice(*self._span(run))]
        return not name.isupper() and not any(
            self._is_word(p) or is_given(p) or is_family(p) or is_eponym(p) for p in run.parts
        )

    def _before(self, run: Run) -> str:
        """The word before, in the same phrase, or nothing."""
        one = run.first - 1
        return self.words[one].key if self._joined(one, run.first, (" ",)) else ""

    def _is_medicine(self, run: Run, left_alone: int) -> bool:
        start, end = self._span(run)
        before = self._before(run)
        if _DOSE.match(self.text, end) or _MEASURED.match(self.text, end):
            return True
        if before in keys("taken") and len(run.parts) == 1:
            return True
        between = self.text[left_alone:start] if 0 <= left_alone <= start else ""
        return re.fullmatch(
            r"(?:['\u2019]s)?(?:, ?|/|-| ?\+ ?|,? (?:and|or|und|oder|et|ou|y|o|&) )(?:the )?", between
        ) is not None

    def _is_medical(self, run: Run) -> bool:
        """Large words that are an illness, a test or a thing: "Atrial Fibrillation"."""
        if any(is_medical(p) and not (is_given(p) and len(run.parts) > 1) for p in run.parts):
            return True
        if run.first and self.words[run.first - 1].key in keys("named-before"):
            return True
        if run.first > 1 and self.words[run.first - 2].key in keys("named-before"):
            return True
        after = run.last + 1
        end = run.parts[-1].end
        if self.text.startswith(("'s ", "\u2019s "), end):
            end += 2
        if after < len(self.words) and self.text[end : self.words[after].start] in (" ", "-"):
            word = self.words[after]
            if word.key in keys("named-after") or (word.text[0].isupper() and is_thing(word)):
                return True
        return all(map(is_eponym, run.parts)) and not self._does(run)

    # What stands around a name.

    def _does(self, run: Run) -> bool:
        """What follows is said of people alone: says, denies, agreed."""
        after = run.last + 1
        if after >= len(self.words) or not self._joined(run.last, after, (" ",)):
            return False
        word = self.words[after]
        if not word.text.islower():
            return False
        listed = any(is_given(p) or is_family(p) for p in run.parts)
        return word.key in keys("does") or (
            word.key in keys("does-or-is") and (listed or len(run.parts) > 1)
        )

    def _is_followed_by_a_person(self, end: int) -> bool:
        """A kin, an age, a bed or a degree follows."""
        kin = _KIN_FOLLOWS.match(self.text, end)
        if kin is not None and folded(kin[1]) in keys("relatives"):
            return True
        if _AGE_FOLLOWS.match(self.text, end) or _BED_FOLLOWS.match(self.text, end):
            return True
        degree = re.match(r",? ([A-Z][A-Za-z]{1,5}\d?)(?!\w)", self.text[end : end + 10])
        return degree is not None and degree[1] in _credentials()

    def _reversed(self, run: Run) -> bool:
        """ "Okafor, Ngozi, knee pain", "O'Shaughnessy, Declan: ..."."""
        return re.search(r"[^\W\d_], ", self.text[slice(*self._span(run))]) is not None

    def _owns(self, end: int) -> bool:
        """What owns something is a name, if it is no common word: "Rangi's diary"."""
        return self.text.startswith(("'s ", "\u2019s "), end)

    def _goes_on(self, end: int) -> bool:
        """A sentence goes on in small letters: no heading."""
        return re.match(r",? [^\W\d_A-Z]", self.text[end : end + 3]) is not None

    def _begins_sentence(self, start: int) -> bool:
        before = self.text[max(0, start - 3) : start].rstrip(" ")
        return not before or before[-1] in _ENDS

    def _is_word(self, word: Word) -> bool:
        """A word of English or of another language that the page has."""
        if self._languages_here is None:
            count = languages(self.words)
            self._languages_here = frozenset(
                language
                for language, weight in count.items()
                if weight >= LANGUAGE_IS_HERE and 3 * weight >= count["english"]
            )
        return is_word(word, self._languages_here)

    def _is_german(self, number: int) -> bool:
        """The sentence of a word is German: what is written large there is no name."""
        if self._german is None:
            self._german = list(self._languages())
        return number < len(self._german) and self._german[number]

    def _languages(self) -> Iterator[bool]:
        sentences: list[list[Word]] = [[]]
        for word, after in pairwise([*self.words, None]):
            if word is None:
                break
            sentences[-1].append(word)
            if after and re.search(r"[.!?]\s|\n", self.text[word.end : after.start]):
                sentences.append([])
        counted = [languages(sentence) for sentence in sentences]
        whole = sum(counted, Counter[str]())
        for sentence, count in zip(sentences, counted, strict=True):
            known = count if count["german"] != count["english"] else whole
            german = known["german"] > known["english"]
            yield from [german] * len(sentence)

    # Reading.

    def _span(self, run: Run) -> tuple[int, int]:
        return self.words[run.first].start, self.words[run.last].end

    def _gap(self, one: int, other: int) -> str | None:
        if not 0 <= one < other < len(self.words):
            return None
        return self.text[self.words[one].end : self.words[other].start]

    def _joined(self, one: int, other: int, gaps: tuple[str, ...]) -> bool:
        return self._gap(one, other) in gaps

    def _read(self, at: int, *, strong: bool | None, needs_list: bool = False) -> Run | None:
        """The name that begins with a word, or nothing.

        Args:
            at: Number of the word.
            strong: What stands before it says that it is a name; `None`: nothing does.
            needs_list: One of its first two words has to be on the lists.
        """
        if at >= len(self.words):
            return None
        first = self.words[at]
        if first.key in keys("particles") and (strong is not None or first.text.isupper()):
            found = self._after_particles(at, strong)
            if found is not None:
                return found
        if not _is_large(first) or first.key in keys("titles") or is_nobodys(first):
            return None
        if strong is False and not self._may_follow(at):
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
        if suffix < len(self.words) and self.words[suffix].text in table()["suffixes"].split():
            last = suffix if self._joined(last, suffix, (" ", ", ")) else last
        if needs_list and not any(is_given(p) or is_family(p) for p in parts[:2]):
            return None
        if all(len(part.text) == 1 for part in parts) and not (strong and len(parts) > 1):
            return None
        return Run(at, last, tuple(parts))

    def _after_particles(self, at: int, strong: bool | None) -> Run | None:
        """ "Le Goff", "de Vries", "DE LA CRUZ"."""
        own = at
        while own < min(at + 3, len(self.words)) and self.words[own].key in keys("particles"):
            own += 1
        if any(not self._joined(n - 1, n, (" ",)) for n in range(at + 1, own + 1)):
            return None
        if own >= len(self.words) or self.words[own].key in keys("particles"):
            return None
        known = is_given(self.words[own]) or is_family(self.words[own])
        if not (strong or known) or (strong is False and not self._may_follow(own)):
            return None
        found = self._read(own, strong=strong)
        given = found.last + 1 if found else own
        if found and strong is None and self._joined(found.last, given, (", ",)):
            if _is_large(self.words[given]) and is_given(self.words[given]):
                parts = (*found.parts, self.words[given])
                return Run(at, given, parts)
        return found and Run(at, found.last, found.parts)

    def _may_follow(self, at: int) -> bool:
        """A word that may be a name where something hints at one."""
        word = self.words[at]
        listed = is_given(word) or is_family(word)
        if is_thing(word) or ((is_medical(word) or is_eponym(word)) and not listed):
            return False
        if len(word.text) == 1:
            return True
        if word.text.isupper() and not (is_given(word) or is_family(word)):
            return len(word.text) > 3 and not self._is_word(word)
        after = at + 1
        if after < len(self.words) and self.words[after].key in keys("named-after"):
            return False
        if _DOSE.match(self.text, word.end):
            return False
        return not self._is_word(word) or is_given(word) or is_family(word)

    def _may_begin(self, at: int) -> bool:
        """A word that may be the first of a name that nothing announces."""
        word = self.words[at]
        if len(word.text) > 1:
            return is_given(word) or is_family(word) or not self._is_word(word)
        # An initial: "vitamin D. Next", "4 ng/L. Next" are none.
        if self.text[max(0, word.start - 1) : word.start].strip("( \n\t"):
            return False
        if self._begins_sentence(word.start) or not at:
            return True
        after = at + 1
        listed = after < len(self.words) and is_given(self.words[after])
        return listed or self.words[at - 1].key in keys("taken") | keys("links") | _loosely_before()

    def _step(
        self, last: int, number: int, parts: list[Word], strong: bool | None
    ) -> int | None:
        """The next large word of the name, past particles, or nothing."""
        gap = self._gap(last, number)
        word = self.words[number]
        if gap is None:
            return None
        if len(parts[-1].text) == 1 and gap in (".", ". ", " ", ".-"):
            pass
        elif gap == ", ":
            return number if self._may_be_reversed(number, parts, strong) else None
        elif gap not in (" ", "-", "\u2019", " \u2013 ") or gap == " \u2013 ":
            return None
        if word.text[0].islower() and word.key.partition("-")[0] in keys("particles"):
            if "-" in word.text and word.text.partition("-")[2][:1].isupper():  # al-Otaibi
                return number
        small = number
        while (
            small < min(number + 3, len(self.words))
            and self.words[small].text.islower()
            and self.words[small].key in keys("particles")
            and (small == number or self._joined(small - 1, small, (" ",)))
        ):
            small += 1
        if small > number and not self._joined(small - 1, small, (" ",)):
            return None
        if small >= len(self.words):
            return None
        word = self.words[small]
        if not _is_large(word) or is_nobodys(word) or word.key in keys("titles"):
            return None
        if small > number and strong is None and not (is_given(parts[0]) or is_family(parts[0])):
            return None
        return small if self._goes_with(word, parts, strong) else None

    def _goes_with(self, word: Word, parts: list[Word], strong: bool | None) -> bool:
        """`word` can be of one name with what stands before it."""
        if len(word.text) == 1:
            initial = self.text[word.end : word.end + 1] == "." or word.text not in "AI"
            return not word.text.isascii() or initial
        listed = is_given(word) or is_family(word)
        if is_thing(word) and not listed:
            return False
        if word.text.isupper() and len(word.text) > 1 and not all(
            part.text.isupper() for part in parts
        ):
            return len(word.text) > 3 and (listed or not self._is_word(word))
        return (strong is True and len(parts) < 2) or listed or not self._is_word(word)

    def _may_be_reversed(self, number: int, parts: list[Word], strong: bool | None) -> bool:
        """ "Keller, Anna": after a family name alone, before the end of the list."""
        word = self.words[number]
        if len(parts) > 1 or not _is_large(word) or is_nobodys(word) or len(word.text) < 2:
            return False
        if word.key in keys("titles") or is_thing(word) or is_eponym(word):
            return False
        if strong is not None:
            return is_given(word) or not self._is_word(word)
        first = parts[0]
        if is_thing(first) or is_eponym(first) or not self._begins_sentence(first.start):
            return False
        if self._is_word(first) and not is_family(first):
            return False
        unknown = not self._is_word(word) and not is_medical(first) and not is_medical(word)
        return is_given(word) or (unknown and not _IS_LISTED.match(self.text, word.end))


@cache
def _credentials() -> frozenset[str]:
    return frozenset(table()["credentials"].split())


@cache
def _loosely_before() -> frozenset[str]:
    return frozenset(map(folded, places.table()["loosely-before"].split()))


def _is_large(word: Word) -> bool:
    """`word` is written as a name is: with a capital, or in letters that have none."""
    sign = word.text[0]
    return sign.isupper() or (not sign.isascii() and not sign.islower())
