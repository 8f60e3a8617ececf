"""Names that nothing announces: from the lists, and by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from medassist.safety.identifiers import places
from medassist.safety.identifiers.drugs import drug_words, is_drug
from medassist.safety.identifiers.name_reader import (
    DOSE,
    NameCandidate,
    Reader,
    is_large,
)
from medassist.safety.identifiers.name_words import (
    is_abbreviation,
    is_eponym,
    is_family,
    is_given,
    is_medical,
    is_thing,
    keys,
    table,
)
from medassist.safety.identifiers.text_page import Found, Word
from medassist.safety.language.english import tables
from medassist.safety.letters import folded

LONG_DRUG: Final = 7
"""Letters; shorter words end as drugs do by chance."""
_MEASURED: Final = re.compile(r"[ :]{1,2}[<>~]?\d")
_KIN_FOLLOWS: Final = re.compile(r" ?\((?:his |her |the )?([^\W\d_]{3,14})\)")
_AGE_FOLLOWS: Final = re.compile(
    r"(?:,| is| \()? ?(?:an? |the )?\d{1,3}[ -]?(?:years?|yrs?|yo\b|y/o|y\.o|[FM]\b"
    r"|ans|a\u00f1os|j\u00e4hrig)"
)
_BED_FOLLOWS: Final = re.compile(
    r" ?[-\u2013:,(] ?(?:[Bb]ed|[Ww]ard|[Rr]oom|DOB|MRN|d\.o\.b)\b"
)


def unannounced(reader: Reader, known: set[str]) -> Iterator[Found]:
    """Names from the lists, by their form, or known from elsewhere in the text."""
    left_alone = -1  # where the last thing ended that is no name
    number = 0
    while number < len(reader.words):
        word = reader.words[number]
        if not is_large(word):
            if word.key in drug_words():
                left_alone = word.end
            number += 1
            continue
        town = _town(reader, number)
        if town is not None:
            number = town.last + 1
            yield "PLACE", *reader.span(town), False
            continue
        run = None if word.start in reader.taken else reader.read(number, strong=None)
        if run is None:
            if is_drug(word.text) or word.key in keys("brands") or is_eponym(word):
                left_alone = word.end
            number += 1
            continue
        number = run.last + 1
        kind, sure = _judged(reader, run, known, left_alone)
        if sure is None:
            if is_thing(run.parts[-1]) or is_eponym(run.parts[-1]) or kind == "thing":
                left_alone = reader.words[run.last].end
            continue
        yield kind, *reader.span(run), sure


def _judged(
    reader: Reader, run: NameCandidate, known: set[str], left_alone: int
) -> tuple[str, bool | None]:
    """What `run` is, and whether for sure; `None`: it is no identifier."""
    parts = run.parts
    start, end = reader.span(run)
    full = [part for part in parts if len(part.text) > 1]
    if any(part.key in known and not reader.is_word(part) for part in full):
        return "NAME", True
    if not full or all(
        reader.is_word(p) and not (is_given(p) or is_family(p)) for p in full
    ):
        return "", None
    if _is_medical(reader, run):
        return "thing", None
    begins = reader.begins_sentence(start)
    listed = [p for p in full if is_given(p) or is_family(p)]
    given = [p for p in full if is_given(p)]
    own = [p for p in listed if not is_eponym(p)]
    before = _before(reader, run)
    spoken = _does(reader, run) and (bool(listed) or not all(map(reader.is_word, full)))
    german = reader.is_german(run.first)
    shouted = all(part.text.isupper() for part in full)
    if spoken or _is_followed_by_a_person(
        reader, end, in_bed=bool(listed) or len(full) > 1
    ):
        return "NAME", True
    if given and own and not shouted and _is_or_has(reader, run):
        return "NAME", False
    if _is_place(reader, run, before, german):
        return "PLACE", False
    if len(parts) > 1 and listed and (own or len(listed) > 1):
        unknown = [p for p in full if p not in listed]
        if shouted and any(reader.is_word(p) or is_thing(p) for p in unknown):
            return "", None
        if german and not given:
            return "", None
        return "NAME", bool(own)
    if shouted and len(full) == 1:
        return "", None
    if given and not begins and not reader.is_word(given[0]) and not german and own:
        return "NAME", not shouted
    if (
        own
        and not shouted
        and (not begins or _goes_on(reader, end) or _owns(reader, end))
    ):
        if german and (not given or begins):
            return "", None
        if begins and (all(map(reader.is_word, full)) or reader.languages_here()):
            return "", None
        return "NAME", False
    if german or all(map(is_eponym, full)):
        return "", None
    return _by_form(reader, run, full, begins, left_alone)


def _by_form(
    reader: Reader, run: NameCandidate, full: list[Word], begins: bool, left_alone: int
) -> tuple[str, bool | None]:
    """Words that no list and no language knows, written as names are."""
    start, end = reader.span(run)
    if any(
        reader.is_word(part) or is_abbreviation(part) or _is_compound(part)
        for part in full
    ):
        return "", None
    initials = len(run.parts) > len(full)
    foreign = any(not part.text[0].isascii() and part.text.islower() for part in full)
    if _is_medicine(reader, run, left_alone):
        return "thing", None
    if _reversed(reader, run) or _owns(reader, end):
        return "NAME", False
    if all(part.text.isupper() for part in full):
        return "", None
    if initials and run.parts[0] not in full and full[0].text[1:2].islower():
        return "NAME", False
    if len(full) > 1 and (not begins or _goes_on(reader, end)):
        return "NAME", False
    if places.is_town(reader.text[start:end]) and not begins:
        return "PLACE", False
    if (not begins and len(full[0].text) > 2) or foreign:
        return "NAME", False
    return "", None


def _is_compound(word: Word) -> bool:
    """Small letters after a hyphen, or the end of a drug: X-ray, Zonisamide."""
    pieces = word.text.split("-")
    if any(piece[:1].islower() for piece in pieces[1:]):
        return True
    return len(word.key) > LONG_DRUG and word.key.endswith(tables().drug_endings)


def _is_called_after(word: Word) -> bool:
    """A thing with the name of who invented it: "Kirschner-Drähte"."""
    first, _, rest = word.text.partition("-")
    last = rest.rpartition("-")[2]
    if not last:
        return False
    inventor, thing = (
        Word(word.start, word.end, part, folded(part)) for part in (first, last)
    )
    return is_eponym(inventor) and not (
        is_given(thing) or is_family(thing) or is_eponym(thing)
    )


def _town(reader: Reader, number: int) -> NameCandidate | None:
    """A town of the list after "in", of up to three words."""
    word = reader.words[number]
    if not number or not word.text[0].isupper() or word.start in reader.taken:
        return None
    before = reader.words[number - 1].key
    if before not in places.loosely_before() or not reader.joined(
        number - 1, number, (" ",)
    ):
        return None
    for last in range(min(number + 2, len(reader.words) - 1), number - 1, -1):
        words = reader.words[number : last + 1]
        name = reader.text[words[0].start : words[-1].end]
        if "\n" in name or not words[-1].text[0].isupper() or not places.is_town(name):
            continue
        loose = before in ("de", "of", "to", "von", "a", "around")
        if not (loose and (is_given(word) or is_family(word))) and not is_eponym(word):
            return NameCandidate(number, last, tuple(words))
    return None


def _is_place(reader: Reader, run: NameCandidate, before: str, german: bool) -> bool:
    """A word after "in" that nobody knows."""
    if before not in ("in", "near", "aus", "nach") or german:
        return False
    name = reader.text[slice(*reader.span(run))]
    return not name.isupper() and not any(
        reader.is_word(p) or is_given(p) or is_family(p) or is_eponym(p)
        for p in run.parts
    )


def _before(reader: Reader, run: NameCandidate) -> str:
    """The word before, in the same phrase, or nothing."""
    one = run.first - 1
    return reader.words[one].key if reader.joined(one, run.first, (" ",)) else ""


def _is_medicine(reader: Reader, run: NameCandidate, left_alone: int) -> bool:
    start, end = reader.span(run)
    before = _before(reader, run)
    if DOSE.match(reader.text, end) or _MEASURED.match(reader.text, end):
        return True
    if before in keys("taken") and len(run.parts) == 1:
        return True
    between = reader.text[left_alone:start] if 0 <= left_alone <= start else ""
    return (
        re.fullmatch(
            r"(?:['\u2019]s)?(?:, ?|/|-| ?\+ ?"
            r"|,? (?:and|or|und|oder|et|ou|y|o|&|par|por|durch|auf) )"
            r"(?:the )?",
            between,
        )
        is not None
    )


def _is_medical(reader: Reader, run: NameCandidate) -> bool:
    """Large words that are an illness, a test or a thing: "Atrial Fibrillation"."""
    if any(
        is_medical(p) and not (is_given(p) and len(run.parts) > 1) for p in run.parts
    ):
        return True
    if run.first and reader.words[run.first - 1].key in keys("named-before"):
        return True
    if len(run.parts) > 1 and run.parts[0].key in keys("named-before"):
        return len(run.parts[0].text) > 1
    if any(map(_is_called_after, run.parts)):
        return True
    if run.first > 1 and reader.words[run.first - 2].key in keys("named-before"):
        return True
    after = run.last + 1
    end = reader.words[run.last].end
    if reader.text.startswith(("'s ", "\u2019s "), end):
        end += 2
    if after < len(reader.words) and reader.text[end : reader.words[after].start] in (
        " ",
        "-",
    ):
        word = reader.words[after]
        if word.key in keys("named-after") or (
            word.text[0].isupper() and is_thing(word)
        ):
            return True
    return all(map(is_eponym, run.parts)) and not _does(reader, run)


def _does(reader: Reader, run: NameCandidate) -> bool:
    """What follows is said of people alone: says, denies, agreed."""
    after = run.last + 1
    if after >= len(reader.words) or not reader.joined(run.last, after, (" ",)):
        return False
    word = reader.words[after]
    if not word.text.islower():
        return False
    listed = any(is_given(p) or is_family(p) for p in run.parts)
    return word.key in keys("does") or (
        word.key in keys("does-or-is") and (listed or len(run.parts) > 1)
    )


def _is_or_has(reader: Reader, run: NameCandidate) -> bool:
    """A small verb follows a given name that is no word: "Mehmet hat", "Amina a vu"."""
    after = run.last + 1
    return (
        after < len(reader.words)
        and reader.joined(run.last, after, (" ",))
        and reader.words[after].text.islower()
        and reader.words[after].key in keys("is-or-has")
        and not any(map(reader.is_word, run.parts))
    )


def _is_followed_by_a_person(reader: Reader, end: int, *, in_bed: bool) -> bool:
    """A kin, an age or a degree follows, or a bed, which headings have too."""
    kin = _KIN_FOLLOWS.match(reader.text, end)
    if kin is not None and folded(kin[1]) in keys("relatives"):
        return True
    if _AGE_FOLLOWS.match(reader.text, end):
        return True
    if in_bed and _BED_FOLLOWS.match(reader.text, end):
        return True
    degree = re.match(r",? ([A-Z][A-Za-z]{1,5}\d?)(?!\w)", reader.text[end : end + 10])
    return degree is not None and degree[1] in _credentials()


def _reversed(reader: Reader, run: NameCandidate) -> bool:
    """The family name comes first: "Okafor, Ngozi, knee pain"."""
    return re.search(r"[^\W\d_], ", reader.text[slice(*reader.span(run))]) is not None


def _owns(reader: Reader, end: int) -> bool:
    """What owns something is a name, if it is no common word: "Rangi's diary"."""
    return reader.text.startswith(("'s ", "\u2019s "), end)


def _goes_on(reader: Reader, end: int) -> bool:
    """A sentence goes on in small letters: no heading."""
    return re.match(r",? [^\W\d_A-Z]", reader.text[end : end + 3]) is not None


@cache
def _credentials() -> frozenset[str]:
    return frozenset(table()["credentials"].split())
