"""Identifiers that their form or the words before them give away."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from medassist.safety.letters import CAPITAL, SMALL, shape

WORDS: Final = Path(__file__).with_name("words.toml")

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_ID: Final = r"(?=[A-Z0-9-]{0,24}\d)[A-Z0-9](?:[A-Z0-9]|[-/ .](?=[A-Z0-9]*\d)){2,24}"
# Every part is bounded and no two parts of one can match the same, so that the time is
# proportional to the length of the text.
_FORMS: Final[tuple[tuple[str, str, bool], ...]] = (
    ("EMAIL", r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}\b", True),
    ("URL", r"\b(?:https?://|www\.)[^\s<>\"')\]]{3,200}[^\s<>\"')\].,;:]", True),
    (
        "PHOTO",
        r"\b[\w-]{1,60}\.(?:jpe?g|png|heic|tiff?|gif|bmp|dcm)\b"
        r"|\b(?:facial|full[- ]face) (?:photo|photograph|image|picture)s?\b",
        True,
    ),
    ("IP", r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)", True),
    ("IP", r"\b(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}\b", True),
    ("DEVICE", r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b", True),
    ("SSN", r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])", True),
    ("VEHICLE", r"\b(?=[A-Z0-9]{0,16}\d)[A-HJ-NPR-Z0-9]{17}\b", True),
    ("VEHICLE", r"\b[A-Z]{2}\d{2} ?[A-Z]{3}\b", False),
    (
        "FAX",
        r"\b[Ff][Aa][Xx](?: (?:number|no\.?))?[: ]{1,3}\+?[\d(][\d() .-]{6,18}\d",
        True,
    ),
    (
        "PHONE",
        r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ .-]?|\d{3}[ .-])"
        r"\d{3}[ .-]\d{4}"
        r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?![\w-])",
        True,
    ),
    ("PHONE", r"(?<![\w.+-])\+\d{1,3}(?:[ .-]?\d{2,4}){2,4}(?![\w-])", True),
    ("PHONE", r"(?<![\w.+-])0\d{2,4}[ -]\d{3,4}(?:[ -]?\d{3,4})?(?![\w-])", True),
    (
        "PHONE",
        r"\b(?:tel|telephone|phone|mobile|cell|call|pager|bleep|ring)"
        r"(?: (?:number|no\.?))?\.?[: ]{1,3}\+?[\d(][\d() .-]{4,18}\d",
        True,
    ),
    (
        "DATE",
        r"(?<![\d/.-])(?:\d{1,2}([/.-])\d{1,2}\1(?:19|20)?\d\d"
        r"|(?:19|20)\d\d([/.-])\d{1,2}\2\d{1,2})(?![\d/-])",
        True,
    ),
    (
        "DATE",
        rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}(?:,?[ -](?:19|20)?\d\d)?\b"
        rf"|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?(?:,? (?:19|20)\d\d)?\b"
        rf"|\b{_MONTH},? (?:of )?(?:19|20)\d\d\b",
        True,
    ),
    ("DATE", r"\bon \d{1,2}/\d{1,2}(?![\d/])", False),
    (
        "AGE",
        r"\b(?:9\d|1[01]\d)[ -]?(?:year|yr|yo\b|y/o|y\.o\.)s?(?:[ -]old)?"
        r"|\b(?:aged?|age:) ?(?:9\d|1[01]\d)\b",
        True,
    ),
    ("PLACE", r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b", True),
    (
        "PLACE",
        rf"\b[{CAPITAL}][{SMALL}]{{2,20}},? [A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?\b",
        True,
    ),
    ("PLACE", r"\b(?:ZIP|zip)(?: code)?[: ]{1,3}\d{5}(?:-\d{4})?\b", True),
    # A code that nothing announces: letters and five digits or more, or seven digits.
    (
        "CODE",
        r"(?<![\w.,/-])(?:[A-Z]{1,4}-?\d{5,10}|[A-Z]{1,4}-\d{2,6}(?:-\d{2,6}){1,3})"
        r"(?![\w/%-]|\.\d)",
        False,
    ),
    (
        "CODE",
        r"(?<![\w.,/+-])(?:\d{7,14}|\d{2,4}-\d{2,4}-\d{2,4})(?![\w/%-]|\.\d)",
        False,
    ),
    ("PLACE", r"\b(?:P\.?O\.? ?[Bb]ox|Box) \d{1,6}\b", True),
)


@cache
def words() -> dict[str, Any]:
    """What words.toml says."""
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str], bool], ...]:
    table = words()
    rows = [(kind, re.compile(form), sure) for kind, form, sure in _FORMS]
    link = r"(?:\s?(?:is|was|of|ending in|[:#=])){0,2}\s?#?"
    for kind, cue in table["numbered"].items():
        plate = r"[A-Z]{2}\d{2} [A-Z]{3}|" if kind == "VEHICLE" else ""
        form = rf"\b(?i:{cue}){link}\s?(?P<it>{plate}{_ID})(?![\w])"
        rows.append((kind, re.compile(form), True))
    streets = "|".join(table["streets"].split())
    institutions = "|".join(table["institutions"].split())
    before = "|".join(map(re.escape, table["places-before"]))
    name = rf"[{CAPITAL}][\w'\u2019-]{{1,25}}"
    rows += [
        (
            "PLACE",
            re.compile(
                rf"\b\d{{1,5}}[A-Za-z]? (?:(?:[NSEW]|North|South|East|West)\.? )?"
                rf"(?:{name} ){{1,3}}(?:{streets})\b\.?"
                rf"(?:,? (?:Apt|Flat|Unit|Suite)\.? ?\w{{1,5}})?"
                rf"(?:, {name}(?: {name})?)?"
            ),
            True,
        ),
        (
            "PLACE",
            re.compile(
                rf"\b(?i:{before}):? (?:the )?"
                rf"(?P<it>{name}(?:[ -](?:{name}|upon|on|le|de|of|the)){{0,3}})"
            ),
            True,
        ),
        (
            "PLACE",
            re.compile(
                rf"\b(?:St\.? )?{name}(?:'s)?(?: {name}){{0,2}} (?:{institutions})\b"
                rf"(?: (?:{institutions}|Center|Centre|Home)\b){{0,2}}"
            ),
            False,
        ),
    ]
    return tuple(rows)


def find(text: str) -> Iterator[tuple[str, int, int, bool]]:
    """Kind, first character, the one after the last, and whether it is sure.

    Args:
        text: A plain text (`medassist.safety.letters.plain`).
    """
    letters = shape(text)
    for kind, form, sure in _compiled():
        for match in form.finditer(letters):
            start, end = match.span("it") if "it" in form.groupindex else match.span()
            if kind == "IP" and any(
                part.isdigit() and int(part) > 255
                for part in text[start:end].split(".")
            ):
                continue
            yield kind, start, end, sure
