"""The doses and numbers that stand in a sentence, such that they can be compared.

0.5 g and 500 mg are the same, and so are `twice daily`, `bd` and `every 12 hours`.
What a dose means, and whether it can be right, is not asked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["dose", "number"]
Key = tuple[float, ...]
# Bounded, as is every repetition here: a model may write one digit for ever.
_NUMBER = r"(?<!\d)\d{1,12}(?:[.,]\d{1,6}){0,4}"
_MASS = {"g": 1e3, "mg": 1.0, "mcg": 1e-3, "ng": 1e-6}
_VOLUME = {"ml": 1.0, "dl": 100.0, "l": 1e3}
_TIME = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0}
_SPELLED = {
    "mcg": r"mcg|[µμ]g|ug|micrograms?",
    "mg": r"mg|milligrams?",
    "ng": r"ng|nanograms?",
    "kg": r"kgs?|kilograms?",
    "g": r"g|gm|grams?",
    "ml": r"ml|millilit(?:er|re)s?|cc",
    "dl": r"dl",
    "unit": r"iu|units?|international\s+units?",
    "mmol": r"mmol|millimoles?",
    "meq": r"meq",
    "mmhg": r"mm\s?hg",
    "mm": r"mm|millimet(?:er|re)s?",
    "cm": r"cm|centimet(?:er|re)s?",
    "l": r"l|lit(?:er|re)s?",
    "%": r"%|per\s?cent",
    "celsius": r"°\s?c|degrees\s+celsius",
    "bpm": r"bpm|beats\s+(?:per|a)\s+minute",
    "tablet": r"tablets?|tabs?|capsules?|caps?",
    "puff": r"puffs?",
    "drop": r"drops?",
    "second": r"seconds?|secs?|s",
    "minute": r"minutes?|mins?",
    "hour": r"hours?|hrs?|h",
    "day": r"days?|d",
    "week": r"weeks?|wks?",
    "month": r"months?",
    "year": r"years?|yrs?",
    "m2": r"m2|m²",
    "dose": r"doses?",
}
_PER = ("kg", "m2", "day", "hour", "minute", "dose", "ml", "dl", "l", "week")
_UNIT = "|".join(f"(?P<u_{i}>{form})" for i, form in enumerate(_SPELLED.values()))
_PER_UNIT = "|".join(_SPELLED[name] for name in _PER)
_WORDS = {
    word: value
    for value, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 2
    )
}
_QUANTITY = re.compile(
    rf"(?<![^\W_])(?<![^\W\d_]-)(?<!\d[.,])(?P<low>{_NUMBER}|\b(?:{'|'.join(_WORDS)})\b)"
    rf"(?:\s{{0,2}}(?:[-\u2013\u2014/]|to)\s{{0,2}}(?P<high>{_NUMBER}))?"
    rf"(?:[\s-]{{0,3}}(?:{_UNIT})(?![^\W\d_])"
    r"(?P<per>(?:\s{0,2}(?:/|per|an?\b|each)\s{0,2}"
    rf"(?:{_PER_UNIT})(?![^\W\d_])){{0,3}}))?",
    re.IGNORECASE,
)
_BY_DAY = {
    r"once\s+(?:a\s+day|daily|per\s+day)|\bo\.?d\b\.?|\bq\.?d\b\.?": 1.0,
    r"twice\s+(?:a\s+day|daily|per\s+day)|\bb\.?[id]\.?d?\b\.?(?<!\bb)": 2.0,
    r"(?:three\s+times|thrice|3\s*times|3\s*x)\s+(?:a\s+day|daily|per\s+day)"
    r"|\bt\.?[di]\.?[sd]\b\.?": 3.0,
    r"(?:four\s+times|4\s*times|4\s*x)\s+(?:a\s+day|daily|per\s+day)"
    r"|\bq\.?[di]\.?[sd]\b\.?": 4.0,
    r"(?:once\s+(?:a\s+week|weekly|per\s+week))": 1 / 7,
}
_FREQUENCY = re.compile(
    "|".join(f"(?P<f_{i}>{form})" for i, form in enumerate(_BY_DAY))
    + rf"|(?:every\s+|q\.?\s?)(?P<hours>{_NUMBER})(?:\s{{0,2}}-\s{{0,2}}{_NUMBER})?"
    r"[\s-]{0,3}(?:h(?:ou)?rs?|h|hourly)\b"
    rf"|(?P<hourly>{_NUMBER})[\s-]{{0,3}}hourly\b"
    r"|\b(?P<daily>daily|every\s+day|a\s+day|per\s+day)\b"
    r"|\b(?P<weekly>weekly|every\s+week)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A dose or a number, from `start` up to `end` of the sentence."""

    kind: Kind
    start: int
    end: int
    of: str
    """What it measures, in its canonical unit: only these can be held together."""
    key: Key
    """Its value in that unit; two for a range."""


def quantities(text: str) -> list[Quantity]:
    """The doses and numbers of a sentence, in its order."""
    found: list[Quantity] = []
    taken: list[tuple[int, int]] = []  # how often, which is no number beside it
    for match in _FREQUENCY.finditer(text):
        by_day = _by_day(match)
        found.append(_quantity("dose", match, "by day", (by_day,)))
        taken.append(match.span())
    for match in _QUANTITY.finditer(text):
        start, end = match.span()
        over = [first for first, last in taken if first < end and start < last]
        if over and min(over) > start:  # `1 mg a day`: the dose ends where that begins
            shorter = _QUANTITY.match(text, start, min(over))
            found += _measured(shorter) if shorter else []
        elif not over:
            found += _measured(match)
    return sorted(found, key=lambda quantity: (quantity.start, quantity.end))


def _measured(match: re.Match[str]) -> list[Quantity]:
    units = enumerate(_SPELLED)
    unit = next((name for i, name in units if match.group(f"u_{i}") is not None), "")
    factor, of = _canonical(unit)
    parts = re.split(r"/|\bper\b|\ban?\b|\beach\b", match["per"] or "")
    per = [name for name in map(_per_name, parts) if name]
    numbers = [match["low"], *([match["high"]] if match["high"] else [])]
    key = tuple(_rounded(_value(number) * factor) for number in numbers)
    level = bool({"ml", "dl", "l"} & {*per})  # a concentration is measured, not given
    dose = of in ("mg", "ml", "unit", "mmol", "meq", "tablet", "puff", "drop")
    kind: Kind = "dose" if dose and not level else "number"
    found: list[Quantity] = []
    if dose and per and per[-1] == "day":  # 4 g/day is 4 g daily
        per.pop()
        found.append(_quantity("dose", match, "by day", (1.0,)))
    return [_quantity(kind, match, "/".join([of, *per]), key), *found]


def _quantity(kind: Kind, match: re.Match[str], of: str, key: Key) -> Quantity:
    end = match.start() + len(match.group().rstrip())
    return Quantity(kind, match.start(), end, of, key)


def _canonical(unit: str) -> tuple[float, str]:
    if unit in _MASS:
        return _MASS[unit], "mg"
    if unit in _VOLUME:
        return _VOLUME[unit], "ml"
    if unit in _TIME:
        return _TIME[unit], "hour"
    return 1.0, unit


def _per_name(spelled: str) -> str:
    for name in _PER:
        if re.fullmatch(_SPELLED[name], spelled.strip(), re.IGNORECASE):
            return name
    return ""


def _by_day(match: re.Match[str]) -> float:
    for i, value in enumerate(_BY_DAY.values()):
        if match.group(f"f_{i}") is not None:
            return _rounded(value)
    hours = match["hours"] or match["hourly"]
    if hours:
        return _rounded(24 / (_value(hours) or 24))
    return _rounded(1.0 if match["daily"] else 1 / 7)


def _value(number: str) -> float:
    if number.lower() in _WORDS:
        return float(_WORDS[number.lower()])
    if "," in number:
        # 1,000 is a thousand; 0,5 and 2,25 are written so where the comma is decimal.
        thousands = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", number)
        number = number.replace(",", "" if thousands else ".")
    try:
        return float(number)
    except ValueError:  # 1.2.3, a version or a section
        return float(number.replace(".", ""))


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
