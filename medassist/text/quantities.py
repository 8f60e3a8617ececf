"""Quantities in a text: value, unit, substance, and where each stands.

The one reader of quantities: what marks doses, what compares two answers and what
checks a dose all stand on it. 0.5 g and 500 mg are the same here. What a dose means,
and whether it can be right, is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final, Literal

from medassist.text.frequencies import frequencies
from medassist.text.numbers import (
    NUMBER,
    NUMBER_OPENS,
    Signs,
    last_of,
    parted,
    readings,
    signs,
    small_letters,
)
from medassist.text.units import DOSED, PER_UNIT, UNIT, Unit, unit

Kind = Literal["dose", "number"]
Key = tuple[float, ...]

_MANY: Final[dict[str, float]] = {
    "k": 1e3,
    "thousand": 1e3,
    "lakh": 1e5,
    "mega": 1e6,
    "million": 1e6,
    "millions": 1e6,
    "millionen": 1e6,
    "millones": 1e6,
    "mio": 1e6,
    "billion": 1e9,
}
# A model writes "**5** mg" and "5\\,\\text{mg}" too.
_MARKUP: Final = r"[*_`$]{0,3}"
# A hyphen that begins a line is the mark of a list, and joins no numbers.
_TO: Final = (
    rf"{_MARKUP}(?:[^\S\n]{{0,2}}[-\u2010-\u2015\u2212~]|\s{{0,2}}(?:to|bis|à|a)(?=\s))"
    rf"\s{{0,2}}{_MARKUP}"
)
_BEFORE_UNIT: Final = (
    rf"{_MARKUP}(?:[^\S\n]{{0,2}}[-\u2010\u2011]\s?|\s{{0,3}}|&nbsp;)"
    r"(?:(?:\\?[,;:~]|\\ |~)?\\(?:text|mathrm)\{\s?)?"
    rf"{_MARKUP}"
)
QUANTITY: Final = re.compile(
    rf"(?P<low>{NUMBER})"
    rf"(?:(?P<same>{_BEFORE_UNIT}{UNIT})?{_TO}(?P<high>{NUMBER})"
    rf"|\s{{0,2}}/\s{{0,2}}(?P<with>{NUMBER}))?"
    rf"(?:\s?(?P<many>(?:{'|'.join(_MANY)})(?![^\W\d_]))\.?(?:\s(?:de\s|d['\u2019]))?)?"
    rf"(?:{_BEFORE_UNIT}(?P<unit>{UNIT})"
    r"(?P<per>(?:\s{0,2}(?:/|per|an?\b|each|pro|par|por)\s{0,2}"
    rf"{PER_UNIT}){{0,3}}))?",
    re.IGNORECASE,
)
"""An amount; of its own it is tried at every place, which `matches` does not."""
_OPENS: Final = re.compile(NUMBER_OPENS, re.IGNORECASE)
_COUNTED: Final = re.compile(
    r"\b(?:days?|steps?|stage|grade|phase|line|table|no|number|option|cycle|week)\s$",
    re.IGNORECASE,
)
_EACH: Final = re.compile(r"/|\b(?:per|an?|each|pro|par|por)\b", re.IGNORECASE)
_LETTER_AND_HYPHEN: Final = re.compile(r"[^\W\d_]-$")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit, or a number without one.

    Attributes:
        kind: "dose" for what can be given to a patient; a concentration is measured
            and not given, and is a "number".
        start: Its first character.
        end: The character after its unit and what it is given for.
        low: What the amount, or the lower end of a range, can be, in `unit`; the
            likelier first, more than one where it can be read in several ways.
        high: The same of the upper end; equal to `low` where one amount is given.
        unit: The unit; `None` for a number without one.
        written: The unit as written, in small letters.
        per: What it is given for, by the names of units: ("kg", "day").
    """

    kind: Kind
    start: int
    end: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    unit: Unit | None
    written: str
    per: tuple[str, ...]

    @property
    def of(self) -> str:
        """The quantity's dimension; only equal ones are comparable."""
        return "/".join([self.unit.of if self.unit else "", *self.per])

    @property
    def keys(self) -> tuple[Key, ...]:
        """Its value in the canonical unit, for each reading; of a range two numbers."""
        factor = self.unit.factor if self.unit else 1.0
        if self.low == self.high:
            return tuple((_rounded(value * factor),) for value in self.low)
        # Both ends of a range are written in one way.
        if len(self.low) == len(self.high):
            both = zip(self.low, self.high, strict=True)
        else:
            both = product(self.low, self.high)
        return tuple(
            (_rounded(low * factor), _rounded(high * factor)) for low, high in both
        )

    @property
    def in_doubt(self) -> bool:
        """Whether it can be read in more than one way."""
        return len(self.low) > 1 or len(self.high) > 1


def decimal_signs(text: str) -> Signs:
    """The decimal signs that the amounts of `text` use beyond doubt."""
    numbers: list[str] = []
    end = 0
    for match in matches(text):
        if match.start() < end:
            continue
        end = match.end()
        if match["unit"]:
            numbers += filter(None, match.group("low", "high"))
    return signs(numbers)


@lru_cache(maxsize=64)
def quantities(text: str, known: Signs | None = None) -> tuple[Quantity, ...]:
    """The amounts and numbers of `text`, in order; never raises.

    "Give 1,000 mg twice" -> one dose of 1000.0 mg, from 5 up to 13.

    How often something is given is no amount (`frequencies` reads it), nor is a digit
    of a name such as COVID-19. What was read last is remembered: marks, differences
    and checks ask for the same texts.

    Args:
        text: A text or a part of it.
        known: The decimal signs that the whole text uses beyond doubt, where `text` is
            a part of it; else they are looked for in `text`.
    """
    return tuple(_read(text, decimal_signs(text) if known is None else known))


@lru_cache(maxsize=8)
def matches(text: str) -> tuple[re.Match[str], ...]:
    """The matches of `QUANTITY`, sought only where one can begin, in order.

    One that begins within another is among them: where a match turns out to be two
    amounts, the second begins there.
    """
    starts = (opening.start() for opening in _OPENS.finditer(text))
    return tuple(filter(None, (QUANTITY.match(text, start) for start in starts)))


def _read(text: str, known: Signs) -> Iterator[Quantity]:
    nowhere = (len(text), len(text))
    taken = ((often.start, often.end) for often in frequencies(text))
    first, last = next(taken, nowhere)
    at = 0
    for match in matches(text):
        start, end = match.span()
        if start < at:
            continue
        while last <= start:
            first, last = next(taken, nowhere)
        if first <= start:
            at = last
            continue
        if first < end:
            # `1 mg a day`: the dose ends where that begins.
            match = QUANTITY.match(text, start, first)
            if match is None:
                at = first
                continue
        match, at = _parts(text, match)
        quantity = _quantity(text, match, known)
        if quantity is not None:
            yield quantity


def _parts(text: str, match: re.Match[str]) -> tuple[re.Match[str], int]:
    """The part of a match that is one amount, and where the next can begin."""
    low, start = match["low"], match.start()
    if parted(low) and (
        _COUNTED.search(text, max(0, start - 10), start)
        or _LETTER_AND_HYPHEN.search(text, max(0, start - 2), start)
    ):
        # "Day 1 500 mg" is no 1,500 mg, and "U-500 150 units" no 500,150 units.
        again = match.start() + low.rindex(" ") + 1
        later = QUANTITY.match(text, again, match.end())
        if later is not None:
            match = later
    same, last = match["same"], match["unit"]
    if same is not None and (not last or unit(same.strip(" -")) != unit(last)):
        # "500 mcg to 1 mg": two amounts, each in its unit.
        shorter = QUANTITY.match(text, match.start(), match.end("same"))
        if shorter is not None:
            match = shorter
    return match, match.end()


def _quantity(text: str, match: re.Match[str], known: Signs) -> Quantity | None:
    start = match.start()
    found = unit(match["unit"]) if match["unit"] else None
    before = text[max(0, start - 2) : start]
    if found is None and (
        _LETTER_AND_HYPHEN.search(before) or small_letters(match["low"]) == "one"
    ):
        return None  # COVID-19, and a word that counts nothing
    many = _MANY[small_letters(match["many"])] if match["many"] else 1.0
    lower = match["low"] if found is None else last_of(match["low"])
    low = _values(lower, known, before, many)
    upper = match["high"] or match["with"]
    high = _values(upper, known, "", many) if upper else low
    per = _per(match["per"] or "")
    level = bool({"ml", "dl", "l"} & {*per})
    dosed = found is not None and found.of in DOSED and not level
    return Quantity(
        "dose" if dosed else "number",
        start,
        start + len(match.group().rstrip()),
        low,
        high,
        found,
        (match["unit"] or "").lower(),
        per,
    )


def _values(written: str, known: Signs, before: str, many: float) -> tuple[float, ...]:
    return tuple(value * many for value in readings(written, known, before))


def _per(written: str) -> tuple[str, ...]:
    parts = _EACH.split(written)
    return tuple(found.name for part in parts if (found := unit(part)) is not None)


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
