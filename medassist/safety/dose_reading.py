"""Doses in a text: drug, amount, unit, route and frequency, each with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

TABLE: Final = Path(__file__).with_name("doses.toml")
BEFORE: Final = 60
"""Characters before an amount in which its drug is looked for."""
AFTER: Final = 70
"""Characters after it in which route, frequency or drug are looked for."""

Family = Literal["mass", "units", "amount", "volume"]
_UNITS: Final[dict[str, tuple[Family, float]]] = {
    # To milligrams, international units, millimoles and millilitres.
    **dict.fromkeys(
        ("mcg", "µg", "μg", "ug", "microgram", "micrograms", "mikrogram"),
        ("mass", 0.001),
    ),
    **dict.fromkeys(("ng", "nanogram", "nanograms"), ("mass", 1e-6)),
    **dict.fromkeys(("mg", "mgs", "milligram", "milligrams"), ("mass", 1.0)),
    **dict.fromkeys(("g", "gm", "gram", "grams"), ("mass", 1000.0)),
    **dict.fromkeys(("unit", "units", "iu", "u"), ("units", 1.0)),
    **dict.fromkeys(("mmol", "meq"), ("amount", 1.0)),
    **dict.fromkeys(
        ("ml", "millilitre", "millilitres", "milliliter", "milliliters"),
        ("volume", 1.0),
    ),
}
_UNIT: Final = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+|\d{1,9}(?:\.\d{1,6})?"
# Every part is bounded, so that no text can make the search slow.
_DOSE: Final = re.compile(
    rf"(?<![\w.,])(?P<low>{_NUMBER})"
    rf"(?:\s{{0,2}}(?:-|\u2013|to)\s{{0,2}}(?P<high>{_NUMBER}))?"
    rf"\s{{0,2}}-?(?P<unit>{_UNIT})(?![^\W\d_])"
    r"(?P<per>(?:\s{0,1}(?:/|per)\s{0,1}"
    r"(?:kg|m2|m\u00b2|day|d|hour|hr|h|min|minute|dose|week|wk|l|dl|ml)\b){0,2})",
    re.IGNORECASE,
)
_ROUTE: Final = re.compile(
    r"\b(?:(?P<oral>po|p\.o\.|orally|oral|by mouth)"
    r"|(?P<iv>iv|i\.v\.|intravenous(?:ly)?)"
    r"|(?P<im>im|i\.m\.|intramuscular(?:ly)?)"
    r"|(?P<sc>sc|s\.c\.|subcut\w{0,10}|sq)|(?P<rectal>pr|rectal(?:ly)?)"
    r"|(?P<inhaled>inhaled|nebuli[sz]ed|inhalation|nebs?)"
    r"|(?P<sublingual>sublingual(?:ly)?|s/l|buccal)|(?P<topical>topical(?:ly)?)"
    r"|(?P<transdermal>patch(?:es)?|transdermal)|(?P<nasal>intranasal(?:ly)?|nasal))\b",
    re.IGNORECASE,
)
_FREQUENCY: Final = re.compile(
    r"\b(?:(?P<week>once weekly|weekly|once a week|per week|every week|/week)"
    r"|(?P<four>qds|qid|four times (?:a day|daily)|every 6 h(?:ours)?|q6h|6-hourly)"
    r"|(?P<three>tds|tid|three times (?:a day|daily)|every 8 h(?:ours)?|q8h|8-hourly)"
    r"|(?P<two>bd|bid|twice (?:a day|daily)|every 12 h(?:ours)?|q12h|12-hourly)"
    r"|(?P<six>every 4 h(?:ours)?|q4h|4-hourly)"
    r"|(?P<one>od|once (?:a day|daily)|daily|every day|a day|per day|nocte|mane|qd"
    r"|every 24 h(?:ours)?|at night|each morning)"
    r"|(?P<stat>stat|once|single dose))\b",
    re.IGNORECASE,
)
_PER_DAY: Final[dict[str, float]] = {
    "week": 1 / 7,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "six": 6,
    "stat": 0,
}
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W_]|-(?=[^\W_])){3,40}")
_ENDS: Final = re.compile(r"[.!?;\n](?:\s|$)")


@dataclass(frozen=True, slots=True)
class Drug:
    """A row of doses.toml; `source` is "none" where nothing could be opened.

    Attributes:
        name: As the table has it.
        other_names: What else it is called.
        unit: The unit that its doses are written in.
        low: Smallest usual single dose of an adult, in `unit`.
        high: Largest usual single dose of an adult, in `unit`.
        weekly: It is given once a week, and daily it kills.
        renal: The dose depends on the function of the kidneys.
        source: The page that was opened.
    """

    name: str
    other_names: tuple[str, ...]
    unit: str
    low: float
    high: float
    weekly: bool
    renal: bool
    source: str

    @property
    def sourced(self) -> bool:
        """Whether warnings may stand on this row."""
        return self.source != "none"


@dataclass(frozen=True, slots=True)
class Dose:
    """A dose that a text names.

    Attributes:
        drug: Its name; empty if none stands by it.
        low: The amount, or the lower end of the range that is given, in `unit`.
        high: The upper end; equal to `low` where one amount is given.
        unit: As written, in small letters.
        family: What the unit measures.
        per: Each "/kg", "/day" and so on, as written, without the stroke.
        route: By which way; empty if it is not said.
        times_a_day: How often a day; 1/7 is weekly, 0 once only, None not said.
        span: Characters of amount and unit.
        parts: Characters of drug, route and frequency, where they stand.
    """

    drug: str
    low: float
    high: float
    unit: str
    family: Family
    per: tuple[str, ...]
    route: str
    times_a_day: float | None
    span: tuple[int, int]
    parts: tuple[tuple[int, int], ...]

    @property
    def by_weight(self) -> bool:
        """Per kilogram of the body."""
        return "kg" in self.per

    def in_base_unit(self) -> tuple[float, float]:
        """Lowest and highest amount in mg, units, mmol or mL."""
        factor = _UNITS[self.unit][1]
        return self.low * factor, self.high * factor


@cache
def drugs() -> tuple[Drug, ...]:
    """The rows of doses.toml.

    Raises:
        ValueError: the table is not as it should be.
    """
    rows = cast("dict[str, dict[str, object]]", tomllib.loads(TABLE.read_text("utf-8")))
    return tuple(_drug(name, row) for name, row in rows.items() if name != "read")


def _drug(name: str, row: dict[str, object]) -> Drug:
    unit, low, high = row.get("unit"), row.get("low"), row.get("high")
    source, others = row.get("source"), row.get("also", [])
    if not (
        isinstance(unit, str)
        and unit in _UNITS
        and isinstance(low, int | float)
        and isinstance(high, int | float)
        and isinstance(source, str)
        and isinstance(others, list)
    ):
        raise ValueError(f"{TABLE.name}: the row {name} lacks a value")
    return Drug(
        name,
        tuple(map(str, cast("list[object]", others))),
        unit,
        low,
        high,
        row.get("weekly") is True,
        row.get("renal") is True,
        source,
    )


@cache
def names() -> dict[str, Drug]:
    """Every name of every drug of the table, in small letters."""
    return {
        name.lower(): drug
        for drug in drugs()
        for name in (drug.name, *drug.other_names)
    }


@cache
def _endings() -> tuple[str, ...]:
    rows = tomllib.loads(TABLE.read_text("utf-8"))
    return tuple(str(rows["read"]["endings"]).split())


def factor(unit: str) -> float:
    """What a unit is in mg, international units, mmol or mL."""
    return _UNITS[unit][1]


def find_doses(text: str) -> tuple[Dose, ...]:
    """Every amount with a unit of dose in `text`, in order; never raises.

    Concentrations (mg/dL, mmol/L) are laboratory values and are left out.
    """
    return tuple(_doses(text))


def _doses(text: str) -> Iterator[Dose]:
    for match in _DOSE.finditer(text):
        per = tuple(
            re.findall(r"[a-z\u00b2]+2?", match["per"].lower().replace("per", " "))
        )
        if {"l", "dl"} & set(per):
            continue
        unit = match["unit"].lower()
        low = _value(match["low"])
        high = _value(match["high"]) if match["high"] else low
        tail_end = match.end() + AFTER
        ends = _ENDS.search(text, match.end(), tail_end)
        tail_end = ends.start() if ends else min(tail_end, len(text))
        following = _DOSE.search(text, match.end(), tail_end)
        if following:
            tail_end = following.start()
        drug, drug_span = _drug_near(text, match.start(), match.end(), tail_end)
        route = _ROUTE.search(text, match.end(), tail_end)
        often = _FREQUENCY.search(text, match.end(), tail_end)
        times = _PER_DAY[str(often.lastgroup)] if often else None
        if times is None and {"day", "d"} & set(per):
            times = 1
        elif times is None and {"week", "wk"} & set(per):
            times = 1 / 7
        parts = [drug_span] if drug_span else []
        parts += [found.span() for found in (route, often) if found]
        yield Dose(
            drug,
            low,
            max(low, high),
            unit,
            _UNITS[unit][0],
            per,
            str(route.lastgroup) if route else "",
            times,
            match.span(),
            tuple(parts),
        )


def _value(number: str) -> float:
    return float(number.replace(",", ""))


def _drug_near(
    text: str, start: int, end: int, tail_end: int
) -> tuple[str, tuple[int, int] | None]:
    """The drug before the amount, nearest first; else one right after it."""
    first = max(0, start - BEFORE)
    for stop in _ENDS.finditer(text, first, start):
        first = stop.end()
    for word in reversed(list(_WORD.finditer(text, first, start))):
        if name := _drug_name(word.group()):
            return name, word.span()
    for word in list(_WORD.finditer(text, end, min(tail_end, end + 40)))[:3]:
        if name := _drug_name(word.group()):
            return name, word.span()
    return "", None


def _drug_name(word: str) -> str:
    word = word.lower()
    known = names().get(word)
    if known is not None:
        return known.name
    return word if len(word) > 5 and word.endswith(_endings()) else ""
