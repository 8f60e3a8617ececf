"""The units of doses and measurements, however they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from medassist.text.numbers import NO_LETTER_AFTER

# A unit's name, what it measures in which canonical unit, how many of those it is, and
# how it is written. Longer forms stand before the shorter ones that they begin with.
_ROWS: Final[tuple[tuple[str, str, float, str], ...]] = (
    ("mcg", "mg", 1e-3, r"mcg|[µμ]g|ug|\u338d|mi[ck]rogram+(?:es?|os?|s)?"),
    ("mg", "mg", 1.0, r"mgs?|\u338e|mill?igram+(?:es?|os?|s)?"),
    ("ng", "mg", 1e-6, r"ng|nanogramm?s?"),
    ("kg", "kg", 1.0, r"kgs?|\u338f|kilogramm?s?|kilos?"),
    ("pound", "kg", 0.45359237, r"lbs?|pounds?"),
    ("g", "mg", 1e3, r"grams?|gram+es?|gramos?|gramm|gm|g"),
    ("mmhg", "mmhg", 1.0, r"mm\s?hg"),
    ("mmol", "mmol", 1.0, r"mmol|millimoles?"),
    ("ml", "ml", 1.0, r"ml|\u3396|millilit(?:er|re)s?|cc"),
    ("dl", "ml", 100.0, r"dl"),
    (
        "unit",
        "unit",
        1.0,
        r"international\s+units?|units?|i\.u\.|iu|(?-i:I\.E\.|IE|UI|U\.I\.)|einheiten"
        r"|unit[ée]s|unidades|u",
    ),
    ("megaunit", "unit", 1e6, r"(?-i:MI?U)|megaunits?"),
    ("meq", "meq", 1.0, r"meq"),
    ("mm", "mm", 1.0, r"mm|millimet(?:er|re)s?"),
    ("cm", "cm", 1.0, r"cm|centimet(?:er|re)s?"),
    ("%", "%", 1.0, r"%|per\s?cent"),
    ("celsius", "celsius", 1.0, r"°\s?c|degrees\s+celsius"),
    ("bpm", "bpm", 1.0, r"bpm|beats\s+(?:per|a)\s+minute"),
    (
        "tablet",
        "tablet",
        1.0,
        r"tablets?|tabs?|tabletten?|capsules?|caps?|tbl"
        r"|comprim[ée]s?|comprimidos?|cps?|gélules?|kapseln?|c[áa]psulas?",
    ),
    ("puff", "puff", 1.0, r"puffs?|hub|hübe|bouffées?|inhalaciones"),
    ("drop", "drop", 1.0, r"drops?|tropfen|gouttes?|gotas?"),
    ("minute", "hour", 1 / 60, r"minutes?|mins?"),
    ("month", "month", 1.0, r"months?"),
    ("m2", "m2", 1.0, r"m2|m²"),
    ("dose", "dose", 1.0, r"doses?"),
    ("day", "hour", 24.0, r"days?|tage?n?|jours?|d[ií]as?|d"),
    ("second", "hour", 1 / 3600, r"seconds?|secs?|s"),
    ("hour", "hour", 1.0, r"hours?|hrs?|h"),
    ("week", "hour", 168.0, r"weeks?|wks?"),
    ("year", "year", 1.0, r"years?|yrs?"),
    ("l", "ml", 1e3, r"lit(?:er|re)s?|l"),
    ("kpa", "mmhg", 7.50062, r"kpa"),
    ("umol", "mmol", 1e-3, r"[µμu]mol|micromoles?"),
    ("nmol", "mmol", 1e-6, r"nmol|nanomoles?"),
    ("fahrenheit", "fahrenheit", 1.0, r"°\s?f|degrees\s+fahrenheit"),
)
_PER: Final = frozenset(
    ("kg", "m2", "day", "hour", "minute", "dose", "ml", "dl", "l", "week")
)
DOSED: Final = frozenset(["mg", "ml", "unit", "mmol", "meq", "tablet", "puff", "drop"])
"""Units of what is given to a patient, in canonical form."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit.

    Attributes:
        name: Its own name.
        of: The canonical unit of what it measures; equal for mg and g.
        factor: How many of the canonical unit it is.
    """

    name: str
    of: str
    factor: float


_READ: Final = tuple(
    (Unit(name, of, factor), re.compile(form, re.IGNORECASE))
    for name, of, factor, form in _ROWS
)
UNIT: Final = "(?:" + "|".join(form for *_, form in _ROWS) + ")" + NO_LETTER_AFTER
"""A unit, as a part of a pattern without regard to case."""
PER_UNIT: Final = (
    "(?:" + "|".join(f for name, *_, f in _ROWS if name in _PER) + ")" + NO_LETTER_AFTER
)
"""Units that a dose can be given for: a kilogram, a day."""


@lru_cache(maxsize=512)
def unit(written: str) -> Unit | None:
    """The unit that is written as `written`; `None` if it is not known."""
    written = written.strip()
    return next((unit for unit, form in _READ if form.fullmatch(written)), None)


_AFTER_NUMBER: Final = re.compile(
    rf"[ \u00a0\u202f]{{0,2}}(?:(?P<unit>{UNIT})(?:\s?/\s?(?P<per>{PER_UNIT}))?"
    r"|(?P<count>(?:[x\u00d7*]\s?)?10\s?\^?\s?[*e]?\s?[9⁹]\s?/\s?l\b|[gk]/[lµμu]l?\b"
    r"|(?:[x\u00d7]\s?1000\s?)?/\s?(?:mm3|mm³|[µμu]l|cmm)\b))",
    re.IGNORECASE,
)
"""Units behind the number of a measurement, and things that cells are counted in."""


@lru_cache(maxsize=512)
def _measured(unit_written: str, per: str | None, count: str | None) -> str:
    if count is not None:
        small = count.lower()
        return "/ul" if small[0] == "/" else "10^9/l"
    found = unit(unit_written)
    by = unit(per) if per else None
    name = found.name if found else unit_written.lower()
    return f"{name}/{by.name}" if by else name


def unit_after(text: str, at: int) -> str:
    """The unit of the measurement whose number ends at `at`; empty where none stands.

    By the names of the units: "mmol/l", "g/dl", "%"; cells are counted in "10^9/l" or
    "/ul". Degrees without a scale, or a scale without degrees, are no unit here.
    """
    match = _AFTER_NUMBER.match(text, at)
    return _measured(match["unit"] or "", match["per"], match["count"]) if match else ""
