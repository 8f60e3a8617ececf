"""Names of people: after a title or another cue, from the lists, and by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from medassist.safety.identifiers.patterns import words

_WORD: Final = (
    r"(?:O'|D'|Mc|Mac|al-|Al-|El-)?[A-Z\u00c0-\u00de][a-z\u00df-\u00ff]{1,24}"
)
_PART: Final = rf"{_WORD}(?:[-'\u2019]{_WORD})?"
_FULL: Final = (
    rf"{_PART}(?: (?:[A-Z]\.? ?|(?:van|von|de|da|dos|del|der|la|le|bin|ibn|den) )?"
    rf"{_PART}){{0,3}}"
)
_CAPS: Final = r"[A-Z][A-Z'-]{2,24}(?:,? [A-Z][A-Z'-]{1,24}){0,2}"
MIN_MEDICAL: Final = 6
"""Letters; shorter words end so by chance: Rosa, Paloma."""
_ENDS: Final = '.!?:;\n\r"*-'


@cache
def _list(name: str) -> frozenset[str]:
    file = Path(__file__).with_name(name)
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(
        word for line in lines if not line.startswith("#") for word in line.split()
    )


def given_names() -> frozenset[str]:
    """The given names that are recognised without a cue."""
    return _list("given_names.txt")


def family_names() -> frozenset[str]:
    """The family names that are recognised without a cue."""
    return _list("family_names.txt")


@cache
def _forms() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    table = words()
    titles = "|".join(table["titles"].split())
    relatives = "|".join(table["relatives"].split())
    cues = "|".join(map(re.escape, sorted(table["cues"], key=len, reverse=True)))
    titled = re.compile(
        rf"\b(?:{titles}|{titles.upper()})\b\.? "
        rf"(?P<it>{_FULL}|{_CAPS}|[A-Z]\.? {_PART})"
    )
    cued = re.compile(
        rf"\b(?i:{cues})(?: name)?(?:,? (?i:is|was|the|a|his|her|their|{relatives}"
        rf"|nurse|doctor|registrar|consultant|colleague)){{0,2}}\s?[:,]?\s{{0,2}}"
        rf"(?P<it>{_PART}, {_PART}(?: [A-Z]\.)?|{_FULL}|(?<=: ){_CAPS})"
    )
    related = re.compile(rf"\b(?i:{relatives}),? (?:\(|is |called )?(?P<it>{_FULL})")
    return titled, cued, related


@cache
def _free() -> re.Pattern[str]:
    return re.compile(_FULL)


def find(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """Kind, first character, the one after the last, and whether it is sure."""
    known: set[str] = set()
    spans: list[tuple[int, int, bool]] = []
    for number, form in enumerate(_forms()):
        for match in form.finditer(text):
            start, end = match.span("it")
            start, end = _trimmed(text, start, end, cut_last=number > 0)
            if end - start > 1:
                spans.append((start, end, True))
                known |= set(re.findall(r"[^\W\d_]{3,}", text[start:end]))
    given, family = given_names(), family_names()
    for match in _free().finditer(text):
        start, end = _trimmed(text, *match.span(), cut_last=False)
        parts = [part for part in re.split(r"[ .]+", text[start:end]) if part]
        if not parts:
            continue
        first_word = _begins_sentence(text, start)
        listed = [part for part in parts if part in given or part in family]
        if (
            any(part in known for part in parts)
            or (len(parts) > 1 and listed)
            or (parts[0] in given and not first_word)
            or _does(text, end)
        ):
            spans.append((start, end, True))
        elif listed or (
            not _is_medical(text, end, parts)
            and (
                (len(parts) > 1 and _goes_on(text, end))
                or (not first_word or _owns(text, end) or _reversed(text, start, end))
            )
        ):
            spans.append((start, end, False))
    for start, end, sure in spans:
        yield "NAME", start, end, sure


def _trimmed(text: str, start: int, end: int, *, cut_last: bool) -> tuple[int, int]:
    """The span without words at its ends that are nobody's name."""
    never = _never()
    pieces = [
        (start + piece.start(), start + piece.end())
        for piece in re.finditer(r"[^\s,]+", text[start:end])
    ]
    while pieces and text[pieces[0][0] : pieces[0][1]].strip(".,") in never:
        if cut_last:
            # After a cue the name begins at once, or there is none.
            return start, start
        pieces.pop(0)
    kept: list[tuple[int, int]] = []
    for piece in pieces:
        if text[piece[0] : piece[1]].strip(".,") in never:
            break
        kept.append(piece)
    if not kept:
        return start, start
    return kept[0][0], kept[-1][1]


@cache
def _never() -> frozenset[str]:
    plain = words()["never"].split()
    return frozenset((*plain, *(word.upper() for word in plain)))


def _does(text: str, end: int) -> bool:
    """What follows is said of people alone: says, denies, agreed."""
    after = re.match(r" ([a-z]{2,14})\b", text[end : end + 20])
    return after is not None and after[1] in _doing()


@cache
def _doing() -> frozenset[str]:
    return frozenset(words()["does"].split())


def _is_medical(text: str, end: int, parts: list[str]) -> bool:
    """Large words that are an illness, a test or a drug: "Atrial Fibrillation"."""
    endings, large, after = _medical()
    # The words for it that are nobody's name were cut off the end.
    rest = re.match(r"(?:[ -][A-Z][a-z]+)+", text[end : end + 60])
    whole = [*parts, *re.findall(r"\w+", rest[0] if rest else "")]
    small = re.match(r"(?:'s|\u2019s)? ([a-z]+)", text[end : end + 24])
    return (small is not None and small[1] in after) or any(
        word in large or (len(word) > MIN_MEDICAL and word.lower().endswith(endings))
        for word in whole
    )


@cache
def _medical() -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
    table = words()
    return (
        tuple(table["medical-endings"].split()),
        frozenset(table["medical-words"].split()),
        frozenset(table["named-after"].split()),
    )


def _owns(text: str, end: int) -> bool:
    """What owns something is a name, if it is no common word: "Rangi's diary"."""
    return text.startswith(("'s ", "\u2019s "), end)


def _reversed(text: str, start: int, end: int) -> bool:
    """Two words written large, and then small ones: "Okafor, Ngozi, knee pain"."""
    after = re.match(rf", (?P<given>{_PART})(?:[,.;]| [a-z])", text[end : end + 40])
    return after is not None and after["given"] not in _never()


def _goes_on(text: str, end: int) -> bool:
    """A sentence goes on in small letters: no heading."""
    return re.match(r",? [a-z]", text[end : end + 3]) is not None


def _begins_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 3) : start].rstrip(" ")
    return not before or before[-1] in _ENDS
