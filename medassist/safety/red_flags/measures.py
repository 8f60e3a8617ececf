"""Measurements in a text: vital signs, laboratory values, ages, weeks of pregnancy.

A value is taken from the first number after its name, if it lies in the range in which
such a value can lie; the names and ranges are data (measures.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medassist.safety.red_flags.tokens import CLAUSE, SENTENCE, Tokens

REACH: Final = 5
"""Words between the name of a value and its number at most."""
MG_PER_MMOL_GLUCOSE: Final = 18.0
HIGHEST_MMOL_GLUCOSE: Final = 65.0
"""A glucose above this without a unit is meant in mg/dL."""

_NUMBER_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen"
    " fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)
_NUMBERS: Final = {name: float(n) for n, name in enumerate(_NUMBER_WORDS.split())}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_YEARS: Final = _set("yo yr yrs year years y yro")
_MONTHS: Final = _set("mo month months mth mths")
_WEEKS: Final = _set("wk wks week weeks w")
_DAYS: Final = _set("d day days")
_SEXES: Final = _set("m f male female man woman boy girl lady gentleman")
_CELSIUS: Final = _set("degrees deg c celsius")
_OLD: Final = _set("old baby infant newborn neonate f m boy girl child")


@dataclass(frozen=True, slots=True)
class Kind:
    """A value that has a name: the words that announce it, and its possible range."""

    names: frozenset[str]
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Value:
    """A measured value and the words, by place, that said it."""

    number: float
    places: tuple[int, ...]


Values = dict[str, list[Value]]


def measures(text: Tokens, kinds: Mapping[str, Kind]) -> Values:
    """All values of `text`, by the name of their kind.

    `age` is in years, `weeks-pregnant` in weeks, `temp` in degrees Celsius, `glucose`
    in mmol/L, `sbp` and `dbp` in mmHg; the others are as measures.toml says.
    """
    values: Values = {}
    words = text.words
    announced: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        for word in kind.names:
            announced.setdefault(word, []).append(name)
    for place, word in enumerate(words):
        for name in announced.get(word, ()):
            for value in _after(text, place, kinds[name], name):
                values.setdefault(name, []).append(value)
    for place, word in enumerate(words):
        number = _number(word)
        if number is not None:
            _by_shape(text, place, number, values)
    return values


def _number(word: str) -> float | None:
    if word[0].isdigit() and word.isascii():
        return float(word)
    return _NUMBERS.get(word)


def _after(text: Tokens, place: int, kind: Kind, name: str) -> list[Value]:
    found: list[Value] = []
    words = text.words
    lower = -1
    for at in range(place + 1, min(place + 1 + REACH, len(words))):
        if text.breaks[at] == SENTENCE or (text.breaks[at] == CLAUSE and found):
            break
        word = words[at]
        number = _number(word) if word[0].isdigit() else None
        if name == "sbp" and number is not None and found and lower != at - 1:
            # The second number of 150/95 is the diastolic one.
            joined = found[-1].places[1] == at - 1
            if joined and text.starts[at] - text.ends[at - 1] == 1:
                lower = at
                continue
        if number is None:
            if found and word not in ("to", "rpt", "repeat", "then", "now"):
                break
            continue
        number = _converted(name, number, words[at + 1 : at + 3])
        if kind.lowest <= number <= kind.highest:
            found.append(Value(number, (place, at)))
        elif found:
            break
    return found


def _converted(name: str, number: float, after: list[str]) -> float:
    if name == "glucose" and (after[:1] == ["mg"] or number > HIGHEST_MMOL_GLUCOSE):
        return number / MG_PER_MMOL_GLUCOSE
    if name == "temp" and 95 <= number <= 110:
        return (number - 32) / 1.8
    return number


def _by_shape(text: Tokens, place: int, number: float, values: Values) -> None:
    """Values that are known by how they are written: 84/50, 54M, 36/40, 38.9."""
    words, count = text.words, len(text)
    after = words[place + 1] if place + 1 < count else ""
    then = words[place + 2] if place + 2 < count else ""
    broken = place + 1 < count and text.breaks[place + 1] > 0
    here = (place,)

    def add(name: str, value: float, places: tuple[int, ...]) -> None:
        values.setdefault(name, []).append(Value(value, places))

    if broken:
        after = then = ""
    # Written together: 84/50, 36/40, 30+5, 8/12; one character stands between.
    joined = after and text.starts[place + 1] - text.ends[place] == 1
    second = _number(after) if joined and after[0].isdigit() else None
    if second is not None:
        both = (place, place + 1)
        if second == 40 and 4 <= number <= 42:
            add("weeks-pregnant", number, both)
        elif second == 12 and number <= 36:
            add("age", number / 12, both)
        elif second == 52 and number <= 16:
            add("weeks", number, both)
        elif number > second + 5 and 50 <= number <= 300 and 20 <= second <= 200:
            add("sbp", number, both)
            add("dbp", second, both)
        elif 20 <= number <= 42 and second <= 6 and number.is_integer():
            add("weeks-pregnant", number, both)
        return
    old = then in _OLD
    in_years = after in _YEARS and (old or after in ("yo", "yro", "yr"))
    by_sex = after in _SEXES and number > 0 and number.is_integer()
    if number <= 110 and (in_years or by_sex):
        add("age", number, (place, place + 1))
    elif (
        after in _MONTHS
        and number <= 36
        and (old or after == "mo" or _stands_alone(text, place))
    ):
        add("age", number / 12, (place, place + 1))
    elif after in _WEEKS and number <= 52 and old:
        add("age", number / 52, (place, place + 1))
    elif after in _DAYS and number <= 90 and old:
        add("age", number / 365, (place, place + 1))
    elif after in _WEEKS and 4 <= number <= 43:
        add("weeks", number, (place, place + 1))
    elif after in ("f", "fahrenheit") and 97 <= number <= 108:
        add("temp", (number - 32) / 1.8, here)
    elif (after in _CELSIUS and 34 <= number <= 42.5) or _looks_like_fever(
        words[place], number, after
    ):
        add("temp", number, here)


def _stands_alone(text: Tokens, place: int) -> bool:
    """A number and its unit between two commas: "..., 9 months": an age."""
    end = place + 2
    begins = place == 0 or text.breaks[place] > 0
    return begins and (end >= len(text) or text.breaks[end] > 0)


def _looks_like_fever(word: str, number: float, after: str) -> bool:
    units = ("kg", "mg", "g", "cm", "mm", "mmol", "k", "ml", "l", "kpa", "x", "units")
    return (
        "." in word and len(word) == 4 and 37.5 <= number <= 42 and (after not in units)
    )
