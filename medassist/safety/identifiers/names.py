"""Names of people: after a title or another cue, from the lists, and by their form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from medassist.safety.identifiers.drugs import is_drug
from medassist.safety.identifiers.patterns import words
from medassist.safety.language.english import english_words
from medassist.safety.letters import CAPITAL, SMALL, folded, shape

# All of these look at the shape of a text: letters of every alphabet with capitals.
_WORD: Final = rf"(?:[OD]['\u2019]|Mc|Mac|al-|Al-|El-)?[{CAPITAL}][{SMALL}]{{1,24}}"
_PART: Final = rf"{_WORD}(?:[-'\u2019]{_WORD}){{0,2}}"
_FULL: Final = (
    rf"{_PART}(?: (?:[{CAPITAL}]\.? ?"
    rf"|(?:van|von|de|da|dos|del|der|la|le|bin|ibn|den) )?{_PART}){{0,3}}"
    # "Ngo Van Y": a last name of one letter, where it cannot be the word I.
    rf"(?: [\u00c0-\u00de](?!\w))?"
)
_CAPS: Final = (
    rf"[{CAPITAL}][{CAPITAL}'\u2019-]{{2,24}}"
    rf"(?:,? [{CAPITAL}][{CAPITAL}'\u2019-]{{1,24}}){{0,2}}"
)
SHORTEST_KNOWN: Final = 3
"""Letters of a part of a name that is looked for in the rest of the text."""
_LETTERS: Final = re.compile(r"[^\W\d_]+")
MIN_MEDICAL: Final = 6
"""Letters; shorter words end so by chance: Rosa, Paloma."""
_ENDS: Final = '.!?:;\n\r"*-|\t#>_`\u2022\u00b7'
"""What a sentence, a row of a list or a cell of a table begins after."""


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
        rf"(?P<it>{_FULL}|{_CAPS}|[{CAPITAL}]\.? {_PART})"
    )
    cued = re.compile(
        rf"\b(?i:{cues})(?: name)?(?:,? (?i:is|was|the|a|his|her|their|{relatives}"
        rf"|nurse|doctor|registrar|consultant|colleague)){{0,2}}\s?[:,]?\s{{0,2}}"
        rf"(?P<it>{_PART}, {_PART}(?: [{CAPITAL}]\.)?|{_FULL}|(?<=: ){_CAPS})"
    )
    related = re.compile(rf"\b(?i:{relatives}),? (?:\(|is |called )?(?P<it>{_FULL})")
    return titled, cued, related


@cache
def _free() -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_]){_FULL}")


def find(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """Kind, first character, the one after the last, and whether it is sure.

    Args:
        text: A plain text (`medassist.safety.letters.plain`).
    """
    form = shape(text)
    spans = list(_announced(text, form))
    known = {
        folded(word)
        for start, end, _ in spans
        for word in _LETTERS.findall(text[start:end])
        if len(word) >= SHORTEST_KNOWN
    }
    spans += _unannounced(text, form, known)
    for start, end, sure in spans:
        yield "NAME", *_whole(text, start, end), sure
    yield from _again(text, known)


def _announced(text: str, form: str) -> Iterator[tuple[int, int, bool]]:
    """Names after a title, a cue or a relative."""
    for number, pattern in enumerate(_forms()):
        for match in pattern.finditer(form):
            start, end = match.span("it")
            start, end = _trimmed(text, start, end, cut_last=number > 0)
            if end - start > 1:
                yield start, end, True


def _unannounced(
    text: str, form: str, known: set[str]
) -> Iterator[tuple[int, int, bool]]:
    """Names from the lists, by their form, or known from elsewhere in the text."""
    given, family = given_names(), family_names()
    for match in _free().finditer(form):
        start, end = _trimmed(text, *match.span(), cut_last=False)
        parts = [part for part in re.split(r"[ .]+", text[start:end]) if part]
        if not parts:
            continue
        first_word = _begins_sentence(text, start)
        listed = [part for part in parts if part in given or part in family]
        if (
            any(folded(part) in known for part in parts)
            or (len(parts) > 1 and listed)
            or (parts[0] in given and not first_word)
            or _does(text, end)
        ):
            yield start, end, True
        elif listed or (
            not _is_medical(form, end, parts)
            and (
                (len(parts) > 1 and _goes_on(form, end))
                or (not first_word or _owns(text, end) or _reversed(form, start, end))
            )
        ):
            yield start, end, False


def _again(text: str, known: set[str]) -> Iterator[tuple[str, int, int, bool]]:
    """A name that was announced, wherever else it stands in the text.

    In small letters it is left where it is an English word too (young, rose).
    """
    if not known:
        return
    never, english = _never(), english_words() | _words_too()
    for match in _LETTERS.finditer(text):
        word = match.group()
        key = folded(word)
        if key not in known or word in never or is_drug(word):
            continue
        if word[0].isupper() or key not in english:
            yield "NAME", match.start(), match.end(), True


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with the rest of its first and last word: no letter of it is left."""
    while start and text[start - 1].isalpha():
        start -= 1
    while end < len(text):
        joins = text[end] in "-'\u2019" and text[end + 1 : end + 2].isupper()
        if not (joins or text[end].isalpha() or unicodedata.combining(text[end])):
            break
        end += 1
    return start, end


def _trimmed(text: str, start: int, end: int, *, cut_last: bool) -> tuple[int, int]:
    """The span without words at its ends that are nobody's name."""
    pieces = [
        (start + piece.start(), start + piece.end())
        for piece in re.finditer(r"[^\s,]+", text[start:end])
    ]
    while pieces and _is_nobodys(text[pieces[0][0] : pieces[0][1]]):
        if cut_last:
            # After a cue the name begins at once, or there is none.
            return start, start
        pieces.pop(0)
    kept: list[tuple[int, int]] = []
    for piece in pieces:
        if _is_nobodys(text[piece[0] : piece[1]]):
            break
        kept.append(piece)
    if not kept:
        return start, start
    return kept[0][0], kept[-1][1]


def _is_nobodys(word: str) -> bool:
    return word.strip(".,") in _never() or is_drug(word)


@cache
def _never() -> frozenset[str]:
    plain = words()["never"].split()
    return frozenset((*plain, *(word.upper() for word in plain)))


def _does(text: str, end: int) -> bool:
    """What follows is said of people alone: says, denies, agreed."""
    after = re.match(r" ([a-z]{2,14})\b", text[end : end + 20])
    return after is not None and after[1] in _doing()


@cache
def _words_too() -> frozenset[str]:
    return frozenset(words()["words-too"].split())


@cache
def _doing() -> frozenset[str]:
    return frozenset(words()["does"].split())


def _is_medical(form: str, end: int, parts: list[str]) -> bool:
    """Large words that are an illness, a test or a drug: "Atrial Fibrillation"."""
    endings, large, after = _medical()
    # The words for it that are nobody's name were cut off the end.
    rest = re.match(rf"(?:[ -][{CAPITAL}][{SMALL}]+)+", form[end : end + 60])
    whole = [*parts, *re.findall(r"\w+", rest[0] if rest else "")]
    small = re.match(r"(?:'s|\u2019s)? ([a-z]+)", form[end : end + 24])
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


def _reversed(form: str, start: int, end: int) -> bool:
    """Two words written large, and then small ones: "Okafor, Ngozi, knee pain"."""
    after = re.match(rf", (?P<given>{_PART})(?:[,.;]| [{SMALL}])", form[end : end + 40])
    return after is not None and after["given"] not in _never()


def _goes_on(form: str, end: int) -> bool:
    """A sentence goes on in small letters: no heading."""
    return re.match(rf",? [{SMALL}]", form[end : end + 3]) is not None


def _begins_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 3) : start].rstrip(" ")
    return not before or before[-1] in _ENDS
