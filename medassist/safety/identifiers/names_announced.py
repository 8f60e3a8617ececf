"""Names after a title, a relative or another word that announces one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from medassist.safety.identifiers.name_reader import NameCandidate, Reader
from medassist.safety.identifiers.name_words import (
    is_family,
    is_given,
    is_medical,
    is_nobodys,
    is_thing,
    keys,
    table,
)
from medassist.safety.identifiers.text_page import Word
from medassist.safety.letters import folded

MOST_TITLES: Final = 5
SHORTEST_SMALL: Final = 7
"""Letters of a family name in small letters: shorter ones are much else."""
_AFTER_A_CUE: Final = re.compile(
    r"\s?[:,;(=\u2013-]?[:.]?(?:\s{1,2}|$)[(\"\u201c'\u2018]?|[:=]"
)
_AFTER_A_HEADING: Final = re.compile(
    r"\s?[:=\u2013-]\s{0,2}|,?\s{1,3}[(\"\u201c'\u2018]?|[.:]\s|[:=]"
)
_ASKS_FOR_ONE: Final = re.compile(
    r"(?i:is|was|'s|as|by|appelle|llamo|llama|hei\u00dfe)$"
)


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


def announced(reader: Reader) -> Iterator[tuple[int, int, bool]]:
    """First character and the one after the last of each, and whether it is sure."""
    titles, short = keys("titles"), keys("titles-short")
    relatives, cues = keys("relatives"), _cues()
    for number, word in enumerate(reader.words):
        if word.start in reader.taken:
            continue
        run: NameCandidate | None = None
        if word.key in titles or word.key in short:
            run = _titled(reader, number)
        if run is None and word.key in relatives:
            run = _related(reader, number)
        if run is None and word.key in cues:
            run = _cued(reader, number)
        if run is not None:
            span = reader.span(run)
            reader.taken.update(w.start for w in reader.words[run.first : run.last + 1])
            yield *span, True


def _titled(reader: Reader, number: int) -> NameCandidate | None:
    word = reader.words[number]
    stop = reader.text[word.end : word.end + 1] == "."
    if word.key in keys("titles-short") and not (stop and word.text[0].isupper()):
        return None
    at = number + 1
    # "Prof. Dr. med. X", "Mr and Mrs X"
    while at < min(number + MOST_TITLES, len(reader.words)) and (
        reader.words[at].key in keys("titles")
        or reader.words[at].key in keys("after-titles")
    ):
        at += 1
    if not reader.joined(at - 1, at, ("", ".", ". ", " ", ": ", ".: ")):
        return None
    if word.text[0].islower():
        found = reader.read(at, strong=False)
        if found is None and word.key in ("mr", "mrs", "ms", "dr"):
            return _small(reader, at)
        return found
    found = reader.read(at, strong=True)
    if word.key in keys("titles-short") and found and len(found.parts[-1].text) == 1:
        return None
    return found


def _related(reader: Reader, number: int) -> NameCandidate | None:
    at = _past_links(reader, number + 1)
    word = reader.words[number]
    gap = reader.gap(at - 1, at)
    if gap is None or not re.fullmatch(r"'?s?(?: ?[,(:\u2013-])? ?[(\"]?", gap):
        return None
    if word.end < len(reader.text) and reader.text[word.end] in ".;!?\n":
        return None
    return reader.read(at, strong=False, needs_list=reader.is_german(at))


def _cued(reader: Reader, number: int) -> NameCandidate | None:
    word = reader.words[number]
    for form, strong in _cues()[word.key]:
        match = form.match(reader.text, word.start)
        if match is None:
            continue
        if strong:
            reader.taken.update(
                w.start
                for w in reader.words[number : number + 4]
                if w.start < match.end()
            )
        if strong and word.key == "name" and _names_a_thing(reader, number):
            return None
        after = (_AFTER_A_HEADING if strong else _AFTER_A_CUE).match(
            reader.text, match.end()
        )
        at = number
        while at < len(reader.words) and reader.words[at].start < match.end():
            at += 1
        if not strong or reader.words[at - 1].key in ("is", "was"):
            at = _past_links(reader, at)
        if after is None or at >= len(reader.words):
            continue
        gap = reader.text[
            max(match.end(), reader.words[at - 1].end) : reader.words[at].start
        ]
        if len(gap) > 4 or any(
            sign.isdigit() or sign in "|\n" for sign in gap.strip(" ")
        ):
            continue
        if ("\n" in gap and not strong) or is_thing(reader.words[at]):
            continue
        run = reader.read(
            at, strong=strong, needs_list=not strong and reader.is_german(at)
        )
        if run is None and strong and _ASKS_FOR_ONE.search(match.group()):
            run = _small(reader, at)
        elif run is None:
            run = _small(reader, at, listed=True)
        if run is not None:
            return run
    return None


def _names_a_thing(reader: Reader, number: int) -> bool:
    """A thing has the name: "Drug name: X"."""
    return number > 0 and reader.words[number - 1].key in keys("named-things")


def _past_links(reader: Reader, at: int) -> int:
    links = keys("links")
    most = at + 2
    while (
        at < min(most, len(reader.words))
        and (reader.words[at].key in links or reader.words[at].key in keys("relatives"))
        and reader.words[at].text[0].islower()
        and reader.joined(at - 1, at, (" ", ", ", "'s ", " ("))
    ):
        at += 1
    return at


def _is_listed(word: Word) -> bool:
    long = len(word.key) >= SHORTEST_SMALL and not is_medical(word)
    return is_given(word) or (long and is_family(word))


def _small(reader: Reader, at: int, *, listed: bool = False) -> NameCandidate | None:
    """A name in small letters after a title or "name is": words of no language.

    After weaker words it has to be `listed`; a family name of a few letters is an
    abbreviation there.
    """
    last = at
    if listed and not (at < len(reader.words) and _is_listed(reader.words[at])):
        return None
    while (
        last < min(at + 3, len(reader.words))
        and reader.words[last].text.islower()
        and len(reader.words[last].text) > 2
        and not reader.is_word(reader.words[last])
        and not is_thing(reader.words[last])
        and not is_nobodys(reader.words[last])
        and (last == at or reader.joined(last - 1, last, (" ",)))
    ):
        last += 1
    return (
        NameCandidate(at, last - 1, tuple(reader.words[at:last])) if last > at else None
    )
