"""Dosing frequencies: `twice daily`, `bd` and `every 12 hours` are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from medassist.text.numbers import NUMBER, NUMBER_OPENS, readings

_DAY: Final = r"\s{1,2}(?:a\s{1,2}day|daily|per\s{1,2}day)"
_WEEK: Final = r"\s{1,2}(?:a\s{1,2}week|weekly|per\s{1,2}week)"
_BY_DAY: Final[tuple[tuple[float, str], ...]] = (
    (1.0, rf"\bonce{_DAY}|\bo\.?d\b\.?|\bq\.?d\b\.?"),
    (2.0, rf"\b(?:twice|two\s+times){_DAY}|\bb\.?[id]\.?d?\b\.?(?<!\bb)"),
    (
        3.0,
        rf"\b(?:three\s+times|thrice|3\s?times|3\s?x){_DAY}|\bt\.?[di]\.?[sd]\b\.?",
    ),
    (4.0, rf"\b(?:four\s+times|4\s?times|4\s?x){_DAY}|\bq\.?[di]\.?[sd]\b\.?"),
    (5.0, rf"\b(?:five\s+times|5\s?times|5\s?x){_DAY}"),
    (6.0, rf"\b(?:six\s+times|6\s?times|6\s?x){_DAY}"),
    (
        1 / 7,
        rf"\bonce{_WEEK}|\bonce\s{{1,2}}every\s{{1,2}}week"
        r"|\b(?:weekly|every\s+week|per\s+week)\b|/(?:week|wk)\b",
    ),
    (2 / 7, rf"\b(?:twice|two\s+times){_WEEK}"),
    (3 / 7, rf"\b(?:three\s+times|thrice){_WEEK}"),
    (0.0, r"\b(?:stat|single\s+dose|once(?!\s+(?:every|in)\b))\b"),
    (
        1.0,
        r"\b(?:daily|nightly|(?:every|each)\s+(?:day|morning|evening|night)|a\s+day"
        r"|per\s+day|nocte|mane|at\s+(?:night|bedtime)|in\s+the\s+(?:morning|evening)"
        r"|qhs|qam|qpm)\b",
    ),
)
_TIMES: Final = "|".join(f"(?P<f_{i}>{form})" for i, (_, form) in enumerate(_BY_DAY))
FREQUENCY: Final = re.compile(
    rf"{_TIMES}"
    rf"|\b(?:every\s+|q\.?\s?)(?P<hours>(?:(?<=q)\d{{1,2}}|{NUMBER}))"
    rf"(?:\s{{0,2}}(?:[-\u2013]|to|or)\s{{0,2}}(?P<until>{NUMBER}))?"
    r"[\s-]{0,3}(?P<unit>h(?:ou)?rs?|h|hourly|days?|weeks?)\b"
    rf"|(?P<hourly>{NUMBER})[\s-]{{0,3}}hourly\b",
    re.IGNORECASE,
)
"""How often; of its own it is tried at every place, which `matches` does not."""
_OPENS: Final = re.compile(
    rf"{NUMBER_OPENS}|/(?=w)|\b(?=on|o\.?d|q|tw|b\.?[id]|th|t\.?[di]|we|ev|pe|st|si|da"
    r"|a\s|no|ma|at\s|ea|nightl|in\sthe\s)",
    re.IGNORECASE,
)
"""How each form of `FREQUENCY` begins; where none does, none is tried."""
_HOURS: Final = {"d": 24.0, "w": 168.0, "h": 1.0}


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often something is given, with its place in the text.

    Attributes:
        start: Its first character.
        end: The character after it.
        by_day: How often a day; 1/7 is weekly, 0 once only.
        least_by_day: The same of the longer interval of "every 4 to 6 hours".
    """

    start: int
    end: int
    by_day: float
    least_by_day: float


@lru_cache(maxsize=64)
def frequencies(text: str) -> tuple[Frequency, ...]:
    """Every dosing frequency in `text`, in order."""
    return tuple(
        Frequency(
            match.start(),
            match.start() + len(match.group().rstrip()),
            by_day,
            _by_interval(match, match["until"]) or by_day,
        )
        for match in matches(text)
        if (by_day := _by_day(match)) is not None
    )


def matches(text: str) -> Iterator[re.Match[str]]:
    """The matches of `FREQUENCY` in `text`, sought only where one can begin."""
    end = 0
    for opening in _OPENS.finditer(text):
        start = opening.start()
        if start >= end and (match := FREQUENCY.match(text, start)):
            end = match.end()
            yield match


def _by_day(match: re.Match[str]) -> float | None:
    for i, (value, _) in enumerate(_BY_DAY):
        if match.group(f"f_{i}") is not None:
            return value
    return _by_interval(match, match["hours"] or match["hourly"])


def _by_interval(match: re.Match[str], number: str | None) -> float | None:
    if not number:
        return None
    hours = readings(number)[0] * _HOURS[(match["unit"] or "h")[0].lower()]
    return 24 / hours if hours else None
