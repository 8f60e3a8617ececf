"""Numbers of a person: by the words before them, by their form and check digits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from medassist.safety.identifiers import check_digits
from medassist.safety.identifiers.text_page import Found, TextPage, Word
from medassist.safety.letters import folded

TABLE: Final = Path(__file__).with_name("numbers.toml")
LEAST_SIGNS: Final = 3
"""Signs of an announced number."""
LEAST_AFTER_A_WORD: Final = 4
"""The same after a word that has other uses: "lot", "plan"."""
BEFORE: Final = 24
"""Characters in which the name of a published register is looked for."""
# Every part is bounded, and no two parts of one can match the same.
_MIXED: Final = r"[A-Za-z]{0,8}\d[A-Za-z0-9]{0,24}"
_MORE: Final = r"[A-Z]{0,4}\d[A-Z0-9]{0,20}(?![a-z])"
_NUMBER: Final = (
    rf"(?:\([0-9]{{2}}\)[A-Z0-9-]{{1,24}}){{1,6}}"
    rf"|(?:[A-Z\u00c0-\u00de]{{1,4}}[-/ .]{{1,2}}){{0,2}}{_MIXED}"
    rf"(?:(?:[-/.]| (?!\d{{1,4}} ?(?:m[glL]|mcg|g|units?|years?|%)\b)){_MORE}){{0,8}}"
    rf"(?:[-/ ]?(?!A [a-z]|I [a-z])[A-Z]{{1,3}}(?![A-Za-z]))?"
    rf"(?![A-Za-z])"
)
_LINK: Final = (
    r"(?:\s{0,2}(?:is|was|of|ending in|ends in|ending|last four|last 4|on file"
    r"|lautet|est|es|[:=#.]|n[o\u00b0\u00ba]\.?)"
    r"(?!\w)){0,3}\s{0,2}(?:(?!\(\d\d\))[#(])?"
)


@cache
def table() -> dict[str, Any]:
    """Contents of numbers.toml."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _kinds() -> tuple[str, ...]:
    return tuple(
        kind for kind, row in table().items() if kind.isupper() and "alone" in row
    )


def _either(words: list[str]) -> str:
    # Whole words, the longest first, each blank or hyphen as either.
    pieces = (re.escape(word) for word in sorted(words, key=len, reverse=True))
    return "|".join(piece.replace(r"\ ", r"[ -]") for piece in pieces)


@cache
def _cues() -> dict[str, list[tuple[str, re.Pattern[str], int]]]:
    """For the first word of each cue: kind, pattern and the fewest signs."""
    number = table()["words-for-number"]
    after = rf"(?:(?:{_either(number['after'])})(?!\w)\.?)"
    phrases: dict[tuple[str, str], dict[str, list[str]]] = {}
    for kind in _kinds():
        for way in ("numbered", "alone"):
            for phrase in table()[kind][way]:
                first = folded(re.split(r"[^\w'-]", phrase)[0])
                phrases.setdefault((first, kind), {}).setdefault(way, []).append(phrase)
    found: dict[str, list[tuple[str, re.Pattern[str], int]]] = {}
    for (first, kind), ways in phrases.items():
        for way, listed in ways.items():
            words = rf"(?i:{_either(listed)})(?:'?s)?"
            many = "{1,2}" if way == "numbered" else "{0,2}"
            form = re.compile(
                rf"{words}(?:\s?[-.:]?\s?(?i:{after})){many}{_LINK}(?P<it>{_NUMBER})"
            )
            least = LEAST_SIGNS if way == "numbered" else LEAST_AFTER_A_WORD
            found.setdefault(first, []).append((kind, form, least))
    return found


@cache
def _french() -> re.Pattern[str]:
    """For "n° de dossier", "numéro de póliza": the word for number stands before."""
    number = _either(table()["words-for-number"]["before"])
    kinds = "|".join(
        rf"(?P<{kind}>{_either([*table()[kind]['numbered'], *table()[kind]['alone']])})"
        for kind in _kinds()
    )
    return re.compile(
        rf"(?i:(?:{number})\.? (?:de (?:la |l['\u2019])?|del |d['\u2019])(?:{kinds}))"
        rf"(?!\w){_LINK}(?P<it>{_NUMBER})"
    )


@cache
def _compound() -> tuple[re.Pattern[str], tuple[tuple[str, tuple[str, ...]], ...]]:
    form = re.compile(rf"\.?{_LINK}(?P<it>{_NUMBER})")
    rows = sorted(
        (
            (kind, tuple(map(folded, stems)))
            for kind, stems in table()["compounds"].items()
        ),
        key=lambda row: -max(map(len, row[1])),
    )
    return form, tuple(rows)


def announced(page: TextPage) -> Iterator[Found]:
    """Numbers after the words that announce them."""
    cues, form = _cues(), page.form
    for word in page.words:
        for kind, pattern, least in cues.get(word.key.partition("-")[0], ()):
            match = pattern.match(form, word.start)
            if match is None:
                continue
            start, end = match.span("it")
            if sum(map(str.isalnum, form[start:end])) >= least:
                yield kind, start, end, True
                break
        else:
            yield from _of_a_compound(form, word)
    for sign in re.finditer(
        r"[nN](?=[\u00b0\u00ba]|[o\u00f3u][\u00b0\u00ba. m])", form
    ):
        match = _french().match(form, sign.start())
        if match is not None and match.lastgroup:
            kind = next(kind for kind in _kinds() if match[kind])
            yield kind, *match.span("it"), True


def _of_a_compound(form: str, word: Word) -> Iterator[Found]:
    """A German word for a number: Versichertennummer, Pat.-Nr."""
    if not word.key.endswith(("nummer", "nr", "kennzeichen")) or len(word.key) < 2:
        return
    pattern, rows = _compound()
    match = pattern.match(form, word.end)
    if match is None:
        return
    stem = (
        word.key
        if len(word.key) > 3
        else folded(form[max(0, word.start - 14) : word.start])
    )
    stem = stem.rsplit(" ", 1)[-1]
    kind = next((k for k, stems in rows if stem.startswith(stems)), "CODE")
    if kind != "none":
        yield kind, *match.span("it"), kind != "CODE" or len(word.key) > 3


_DIGITS: Final = re.compile(
    r"(?:[A-Z]{2})?\d(?<![\w./,+-]\d)(?:[ .-]?[A-Z0-9]){7,40}(?![\w%/]|[.,]\d)"
)
# What its form alone gives away: kind, form, and the check that makes it sure.
_FORMS: Final[tuple[tuple[str, str, str], ...]] = (
    ("SSN", r"\d{3}-\d{2}-\d{4}", "sure"),
    ("SSN", r"\d{3} \d{2} \d{4}", "us"),
    ("RECORD", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "nhs"),
    ("SSN", r"[2-9]\d{3} \d{4} \d{4}", "aadhaar"),
    ("SSN", r"\d{3}[ -]\d{3}[ -]\d{3}", "sin"),
    ("SSN", r"\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]", "dni"),
    ("SSN", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", "ahv"),
    ("SSN", r"[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d\d)?", "nir"),
    ("SSN", r"[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]", "sure"),
    ("SSN", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d", "sure"),
    ("SSN", r"[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z]", "sure"),
    ("SSN", r"\d\d ?\d{6} ?[A-Z] ?\d{3}", "sure"),
    ("SSN", r"\d{6}[-+]\d{4}", "nordic"),
    ("SSN", r"\d{6}[-+A-FU-Y]\d{3}[\dA-Y]", "hetu"),
    ("SSN", r"\d{3}\.\d{3}\.\d{3}-\d\d", "sure"),
    ("SSN", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", "niss"),
    ("SSN", r"(?:\d{1,2}\.\d{3}\.\d{3}|\d{7,8})-[\dKk]", "rut"),
    ("SSN", r"(?:2[03-7]|3[034])-\d{8}-\d", "cuit"),
    ("SSN", r"\d\d[ /-]?\d{8}[ /-]?\d\d", "nuss"),
    # Four digits and a date of birth.
    ("SSN", r"\d{4} ?(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d", "svnr"),
    ("PLAN", r"[A-Z]\d{9}", "kvnr"),
    # Quebec: of women the month has 50 more.
    (
        "PLAN",
        r"[A-Z]{4} ?\d\d(?:[05][1-9]|[16][0-2]) ?(?:0[1-9]|[12]\d|3[01])\d\d",
        "sure",
    ),
    # Catalonia, and all of Spain.
    (
        "PLAN",
        r"[A-Z]{4} ?[01] ?\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) ?\d{3}",
        "sure",
    ),
    ("PLAN", r"[B-DF-HJ-NP-TV-Z]{8}[A-Z]{2}\d{6}", "sure"),
    ("SSN", r"\d{11}", "eleven"),
    ("SSN", r"\d{13}", "za"),
    ("PLAN", r"[1-9][A-Z][A-Z\d]\d-?[A-Z][A-Z\d]\d-?[A-Z]{2}\d\d", "sure"),
    ("ACCOUNT", r"[A-Z]{2}\d\d(?: ?[A-Z\d]){11,30}", "iban"),
    (
        "ACCOUNT",
        r"[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}|3\d{3}[ -]?\d{6}[ -]?\d{5}",
        "card",
    ),
    ("DEVICE", r"\d{15}", "imei"),
    ("VEHICLE", r"(?=[A-Z]*\d)[A-HJ-NPR-Z\d]{17}", "sure"),
    ("VEHICLE", r"[A-Z]{2}\d{2} ?[A-Z]{3}", ""),
    ("VEHICLE", r"[A-HJ-NP-TV-Z]{2}-\d{3}-[A-HJ-NP-TV-Z]{2}", "sure"),
    ("VEHICLE", r"[A-Z\u00c4\u00d6\u00dc]{1,3}-[A-Z]{1,2} \d{1,4}[EH]?", ""),
    ("VEHICLE", r"\d{4} [B-DF-HJ-NP-TV-Z]{3}", ""),
    # A code that nothing announces: letters and five digits, or seven digits or more.
    ("CODE", r"[A-Z]{1,4}-?\d{5,10}|[A-Z]{1,4}-\d{2,6}(?:-\d{2,6}){1,3}", ""),
    ("CODE", r"\d{7,14}|\d{2,4}-\d{2,4}-\d{2,4}", ""),
    ("CODE", r"[A-Z]{1,3}\d{0,2}[/-]\d{4,7}|[A-Z]{2,3}/\d{3,6}/\d{2,4}", ""),
    ("CODE", r"(?=[A-Z\d]*\d[A-Z]+\d)[A-Z\d]{8,14}", ""),
)
_START: Final = re.compile(
    r"(?<![\w/.,+-])(?:[A-Z\u00c4\u00d6\u00dc]{1,10}[-/ ]?(?=[A-Z]{0,2} ?\d)|(?=\d))"
)
_AHEAD: Final = re.compile(
    r"[A-Z\u00c4\u00d6\u00dc\d](?:[-/ .+]?[A-Z\u00c4\u00d6\u00dc\d]){4,44}"
    r"(?:-k)?"
)
_AFTER: Final = re.compile(r"[A-Za-z\d/%]|-[A-Za-z\d]|\.\d")


@cache
def _by_form() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    return tuple((kind, re.compile(form), check) for kind, form, check in _FORMS)


@cache
def _published() -> tuple[re.Pattern[str], re.Pattern[str]]:
    row = table()["published"]
    prefixes = "|".join(row["prefixes"].split())
    words = _either(row["words"].split())
    return (
        re.compile(rf"(?:{prefixes})[-:]?\d"),
        re.compile(
            rf"(?i:\b(?:{words})(?:[- ]?\d{{1,2}})?(?: code| no\.?"
            rf"| id)?[ :#=-]{{0,3}})$"
        ),
    )


def unannounced(page: TextPage) -> Iterator[Found]:
    """Numbers that their form gives away, sure where check digits agree."""
    form = page.form
    prefix, register = _published()
    last = 0
    for begin in _START.finditer(form):
        start = begin.start()
        ahead = _AHEAD.match(form, start)
        if start < last or ahead is None:
            continue
        for kind, pattern, check in _by_form():
            match = pattern.match(form, start, ahead.end())
            if match is None or _AFTER.match(form, match.end()):
                continue
            sure = check_digits.agree(match.group(), check)
            if sure is None:
                continue
            if kind == "CODE" and (
                prefix.match(form, start)
                or register.search(form, max(0, start - BEFORE), start)
            ):
                break
            last = match.end()
            yield kind, start, last, sure
            break


def find(page: TextPage) -> Iterator[Found]:
    """The numbers of `page` that may tell who a person is."""
    yield from announced(page)
    yield from unannounced(page)
