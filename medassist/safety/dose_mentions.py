"""Doses in a text: drug, amount, unit, route and frequency, each with its place."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Final, Literal, cast

from medassist.text import units
from medassist.text.frequencies import frequencies
from medassist.text.quantities import Quantity, quantities

TABLE: Final = Path(__file__).with_name("doses.toml")
BEFORE: Final = 60
"""Characters before an amount in which its drug is looked for."""
AFTER: Final = 70
"""Characters after it in which route, frequency or drug are looked for."""

Family = Literal["mass", "units", "amount", "volume", "tablet", "puff", "drop"]
_FAMILIES: Final[dict[str, Family]] = {
    "mg": "mass",
    "unit": "units",
    "mmol": "amount",
    "meq": "amount",
    "ml": "volume",
    "tablet": "tablet",
    "puff": "puff",
    "drop": "drop",
}
_NO_DOSE: Final = frozenset({"l", "dl"})
"""Litres are infused and breathed, and what is given for a litre is measured."""
_IN_ALL: Final = re.compile(r"\s?(?:per|a|each)\sday\b", re.IGNORECASE)
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
        low: The amount, or the lower end of the range that is given, in `unit`; where
            it can be read in several ways, the likelier one.
        high: The upper end; equal to `low` where one amount is given.
        readings: Lowest and highest amount in mg, units, mmol or mL, for each way in
            which it can be read.
        unit: As written, in small letters.
        family: What the unit measures.
        per: What it is given for, by the names of units: ("kg", "day").
        route: By which way; empty if it is not said.
        times_a_day: How often a day; 1/7 is weekly, 0 once only, None not said.
        span: Characters of amount and unit.
        parts: Characters of drug, route and frequency, where they stand.
    """

    drug: str
    low: float
    high: float
    readings: tuple[tuple[float, float], ...]
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

    @property
    def in_doubt(self) -> bool:
        """Whether it can be read in more than one way."""
        return len(self.readings) > 1


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
        and units.unit(unit)
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


@lru_cache(maxsize=8)
def find_doses(text: str) -> tuple[Dose, ...]:
    """Every amount with a unit of dose in `text`, in order; never raises.

    Concentrations (mg/dL, mmol/L) are laboratory values and are left out. The texts
    that were read last are remembered: the marks in an answer, its own check and the
    comparison with the other answer ask for the same ones.
    """
    return tuple(_doses(text))


def _doses(text: str) -> Iterator[Dose]:
    found = [one for one in quantities(text) if _is_dose(one)]
    often = frequencies(text)
    starts = [one.start for one in often]
    for one, after in zip_longest(found, found[1:]):
        tail_end = one.end + AFTER
        ends = _ENDS.search(text, one.end, tail_end)
        tail_end = ends.start() if ends else min(tail_end, len(text))
        if after is not None:
            tail_end = min(tail_end, after.start)
        drug, drug_span = _drug_near(text, one.start, one.end, tail_end)
        route = _ROUTE.search(text, one.end, tail_end)
        next_often = bisect_left(starts, one.end)
        how_often = often[next_often] if next_often < len(often) else None
        if how_often is not None and how_often.end > tail_end:
            how_often = None
        per = one.per
        if "day" not in per and _IN_ALL.match(text, one.end):
            per = (*per, "day")
        spans = [drug_span] if drug_span else []
        spans += [route.span()] if route else []
        spans += [(how_often.start, how_often.end)] if how_often else []
        times = how_often.by_day if how_often else None
        if times is None and "day" in per:
            times = 1
        elif times is None and "week" in per:
            times = 1 / 7
        yield Dose(
            drug,
            one.low[0],
            max(one.low[0], one.high[0]),
            tuple((min(key), max(key)) for key in one.keys),
            one.written,
            _family(one),
            per,
            str(route.lastgroup) if route else "",
            times,
            (one.start, one.end),
            tuple(spans),
        )


def _is_dose(one: Quantity) -> bool:
    if one.unit is None or one.unit.of not in _FAMILIES:
        return False
    return one.unit.name not in _NO_DOSE and not _NO_DOSE & {*one.per}


def _family(one: Quantity) -> Family:
    return _FAMILIES[one.unit.of if one.unit else "mg"]


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
