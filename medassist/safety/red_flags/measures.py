"""Measurements in a text: vital signs, laboratory values, ages, weeks of pregnancy.

A value is taken from the first number after its name that can be one, in the unit that
is written or, without one, in the unit in whose range it lies. Names, units and ranges
are data (measures.toml); the names are found by the phrases of the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from medassist.safety.red_flags.phrases import Hit
from medassist.safety.red_flags.tokens import CLAUSE, SENTENCE, Tokens
from medassist.text.units import unit_after

NAME: Final = "="
"""Begins the concepts of names of values: "=sodium"."""
AGES_BY_WORD: Final = (
    ("newborn-words", 0.02),
    ("infant-words", 0.5),
    ("toddler-words", 2.0),
    ("child-words", 6.0),
)
"""Years that a word stands for, where a text tells no age."""
COUNTED: Final = ("belongings", "years", "months", "weeks", "days")
"""Lists of what numbers count that are no values."""
LATER: Final = 14
"""Words after a value within which "now" gives a later one."""

_HIGH_OR_LOW: Final = re.compile(r" {0,2}[(*]{0,2}[HL]\b")
"""The letter with which a laboratory marks a value; no unit of hours or litres."""
_RATE: Final = re.compile(
    r"(?:ml|mg|mcg|[\u00b5\u03bc]g|g|l|units?|iu|kg|cc|mmol|meq) ?/ ?\Z", re.IGNORECASE
)
"""What stands before the "hr" of 100 mL/hr: a rate, and no heart."""
_SCALE: Final = re.compile(r" ?°? ?([CF])\b")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of measurement, with its names.

    Attributes:
        base: The value it is.
        units: Unit, factor to the first one, lowest and highest number in it.
        reach: Words between the name and its number at most.
        whole: Only whole numbers are one.
        written: How the name's last word has to be written; empty: in any way.
        loose: It counts with other signs and never by itself.
        with_unit: A number without its unit is none.
    """

    base: str
    units: tuple[tuple[str, float, float, float], ...]
    reach: int = 5
    whole: bool = False
    written: str = ""
    loose: bool = False
    with_unit: bool = False

    def read(self, number: float, unit: str) -> float | None:
        """`number` in the first unit; None where it cannot be such a value."""
        if (self.whole and not number.is_integer()) or (self.with_unit and not unit):
            return None
        if self.base == "temp" and (
            unit == "fahrenheit" or (not unit and 95 <= number <= 115)
        ):
            number, unit = (number - 32) / 1.8, "celsius"
        for name, factor, lowest, highest in self.units:
            if unit in ("", name) and lowest <= number <= highest:
                return number * factor
        return None


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A measured value and the words, by place, that said it; the last is the number.

    Attributes:
        number: In the first unit of its kind.
        places: Of the name's last word, where there is one, and of the number.
        loose: It counts with other signs and never by itself.
        named: A name announces it; else its form does: 74/45.
    """

    number: float
    places: tuple[int, ...]
    loose: bool = False
    named: bool = True


Values = dict[str, list[MeasuredValue]]


@dataclass(frozen=True, slots=True)
class NumberContext:
    """Words around numbers in a language, by which their kind is known.

    Attributes:
        numbers: Numbers that are written as words.
        lists: Word lists of a file of cues: what makes a number an age or a time.
        not_a_pressure: Words beside which 70/30 is none.
    """

    numbers: Mapping[str, float]
    lists: Mapping[str, frozenset[str]]
    not_a_pressure: frozenset[str]


def measures(
    text: Tokens,
    raw: str,
    names: Iterable[Hit],
    kinds: Mapping[str, Kind],
    around: NumberContext,
) -> Values:
    """All measurements of `text`, by the name of their kind.

    `age` is in years, `weeks-pregnant` in weeks, `sbp` and `dbp` in mmHg; the others
    are in the first unit that measures.toml gives.

    Args:
        text: The words.
        raw: The text that they were made of.
        names: Where names of values stand.
        kinds: The kinds, by their own name.
        around: What stands around numbers in the language of the text.
    """
    return _MeasureReader(text, raw, kinds, around).read(names)


class _MeasureReader:
    def __init__(
        self,
        text: Tokens,
        raw: str,
        kinds: Mapping[str, Kind],
        around: NumberContext,
    ) -> None:
        self._text, self._raw, self._kinds = text, raw, kinds
        self._around, self._lists = around, around.lists
        self._begins: dict[int, Kind] = {}
        self._values: Values = {}

    def read(self, names: Iterable[Hit]) -> Values:
        names = list(names)
        for hit in names:
            kind, is_said, number = hit.concept[len(NAME) :].partition("=")
            if is_said:
                self._add(kind, float(number), hit.places)
        longest = list(
            self._longest(hit for hit in names if "=" not in hit.concept[1:])
        )
        for hit, kind in longest:
            if not kind.loose:
                self._begins.setdefault(hit.places[0], kind)
        for hit, kind in longest:
            if not kind.units:
                continue
            found = self._before(hit.places, kind) or self._after(hit.places[-1], kind)
            if found:
                found += self._later(found[-1].places[-1], kind)
                self._values.setdefault(kind.base, []).extend(found)
        for place, word in enumerate(self._text.words):
            if word[0].isdigit() or word in self._around.numbers:
                number = self._number(word)
                if number is not None:
                    self._by_shape(place, number)
        return self._values

    def _number(self, word: str) -> float | None:
        if word[0].isdigit() and word.isascii():
            return float(word)
        return self._around.numbers.get(word)

    def _longest(self, names: Iterable[Hit]) -> Iterator[tuple[Hit, Kind]]:
        """The names; of those that overlap the one of most words."""
        taken: dict[int, tuple[int, ...]] = {}
        for hit in sorted(names, key=lambda hit: -len(hit.places)):
            kind = self._kinds[hit.concept[len(NAME) :]]
            if kind.units and not self._is_name(hit, kind):
                continue
            if all(taken.get(at, hit.places) == hit.places for at in hit.places):
                taken |= dict.fromkeys(hit.places, hit.places)
                yield hit, kind

    def _is_name(self, hit: Hit, kind: Kind) -> bool:
        text = self._text
        for at in hit.places[1:]:
            # "SpO2" is a name, "PO 2 tablets" is none.
            if text.words[at][0].isdigit() and text.starts[at] != text.ends[at - 1]:
                return False
        first, last = text.starts[hit.places[0]], hit.places[-1]
        if _RATE.search(self._raw, max(0, first - 12), first):
            return False
        written = self._raw[text.starts[last] : text.ends[last]]
        return not kind.written or written == kind.written

    def _unit(self, at: int) -> str:
        end = self._text.ends[at]
        if self._raw[end : end + 3].isspace() or _HIGH_OR_LOW.match(self._raw, end):
            return ""
        if scale := _SCALE.match(self._raw, end):
            return {"C": "celsius", "F": "fahrenheit"}[scale[1]]
        return unit_after(self._raw, end)

    def _read(self, at: int, kind: Kind) -> float | None:
        word = self._text.words[at]
        if not (word[0].isdigit() and word.isascii()):
            return None
        return kind.read(float(word), self._unit(at))

    def _after(self, place: int, kind: Kind) -> list[MeasuredValue]:
        found: list[MeasuredValue] = []
        text, words = self._text, self._text.words
        lower = -1
        for at in range(place + 1, min(place + 1 + kind.reach, len(words))):
            if text.breaks[at] == SENTENCE or (text.breaks[at] == CLAUSE and found):
                break
            other = self._begins.get(at)
            if other is not None and other.base != kind.base:
                break
            if not words[at][0].isdigit():
                if found and words[at] not in self._lists["trend"]:
                    break
                continue
            if kind.base == "rr" and self._is_pair(at):
                break  # RR 132/78 is the pressure of a German note.
            if at - 1 > place and words[at - 1] in self._lists["numbered"]:
                continue  # "Sugar, bed 9: 26": the number of the bed.
            if at - 1 > place and self._is_of_time(at, kind):
                continue  # "Creatinine for 6 years stable at 1.8".
            if kind.base == "sbp" and found and lower != at - 1:
                # The second number of 150/95 is the diastolic one.
                joined = found[-1].places[1] == at - 1
                if joined and text.starts[at] - text.ends[at - 1] == 1:
                    lower = at
                    continue
            if kind.base == "sbp" and not found and self._is_in_centimetres(at):
                self._add("dbp", 10 * float(words[at + 1]), (place, at + 1))
                return [MeasuredValue(10 * float(words[at]), (place, at), kind.loose)]
            if kind.base in ("rr", "hr") and self._is_second(at + 1):
                break  # 125/80 is a pressure, which RR is in German.
            number = self._read(at, kind)
            if number is not None:
                found.append(MeasuredValue(number, (place, at), kind.loose))
            elif found:
                break
        return found

    def _before(self, name: tuple[int, ...], kind: Kind) -> list[MeasuredValue]:
        """What is counted by its name: 64 beats, 30 breaths, 7/4 de tension."""
        first, *more = name
        at, words = first - 1, self._text.words
        if at < 0 or self._text.breaks[first] or more:
            return []
        if kind.base == "sbp":
            high = at - 2 if words[at] in self._lists["of"] else at - 1
            if high < 0 or not self._is_in_centimetres(high):
                return []
            self._add("dbp", 10 * float(words[high + 1]), (first, high + 1))
            return [MeasuredValue(10 * float(words[high]), (first, high), kind.loose)]
        if words[first] not in self._lists["counted"]:
            return []
        number = self._read(at, kind)
        return (
            [] if number is None else [MeasuredValue(number, (at, first), kind.loose)]
        )

    def _is_in_centimetres(self, at: int) -> bool:
        """The pressure as it is said in French and Spanish: 17/11 is 170/110 mmHg."""
        words = self._text.words
        if not self._is_second(at + 1):
            return False
        high, low = words[at], words[at + 1]
        if not (high.isascii() and low.isascii()):
            return False
        return (
            5 <= float(high) <= 26
            and 3 <= float(low) <= 16
            and float(low) < float(high)
        )

    def _later(self, after: int, kind: Kind) -> list[MeasuredValue]:
        """What "now" or "today" gives as the value of the same name.

        In a later sentence only right behind such a word: "K 6.8; stopped. Today 4.4".
        """
        text, words, newer = self._text, self._text.words, self._lists["newer"]
        crossed = False
        for at in range(after + 1, min(after + 1 + LATER, len(words))):
            other = self._begins.get(at)
            if other is not None and other.units:
                return []
            crossed = crossed or text.breaks[at] == SENTENCE
            if not words[at][0].isdigit() or self._is_second(at):
                continue
            if words[at - 1] in self._lists["numbered"] or self._counts(at):
                continue
            if self._is_of_time(at, kind):
                continue
            near = words[max(after + 1, at - 2) : at if crossed else at + 4]
            if newer.isdisjoint(near):
                continue
            number = self._read(at, kind)
            if number is not None:
                return [MeasuredValue(number, (after, at), kind.loose)]
        return []

    def _is_of_time(self, at: int, kind: Kind) -> bool:
        """Whether a number tells since when: for 6 years, since 2019."""
        words = self._text.words
        if kind.base in ("age", "weeks-pregnant") or (
            words[at - 1] not in self._lists["how-long"]
        ):
            return False
        is_year = len(words[at]) == 4 and words[at][:2] in ("19", "20")
        return is_year or self._counts(at)

    def _counts(self, at: int) -> bool:
        """Whether a number counts what is named behind it: 4 tablets, 6 years."""
        text = self._text
        if at + 1 >= len(text) or text.breaks[at + 1]:
            return False
        following = text.words[at + 1]
        return any(following in self._lists[name] for name in COUNTED)

    def _is_pair(self, at: int) -> bool:
        """Whether a number is the first of two that a slash joins, 126/70."""
        text = self._text
        if at + 1 >= len(text) or not text.words[at + 1][0].isdigit():
            return False
        return self._raw[text.ends[at] : text.starts[at + 1]] == "/"

    def _is_second(self, at: int) -> bool:
        """Of two numbers written together, 126/70, the second."""
        text = self._text
        if at >= len(text):
            return False
        between = self._raw[text.ends[at - 1] : text.starts[at]]
        both = text.words[at - 1][0].isdigit() and text.words[at][0].isdigit()
        return both and len(between) == 1 and not between.isspace()

    def _add(
        self, name: str, value: float, places: tuple[int, ...], loose: bool = False
    ) -> None:
        self._values.setdefault(name, []).append(
            MeasuredValue(value, places, loose, named=False)
        )

    def _by_shape(self, place: int, number: float) -> None:
        """Values that are known by how they are written: 84/50, 54M, 36/40, 38.9."""
        text, words, count = self._text, self._text.words, len(self._text)
        lists = self._lists
        after = words[place + 1] if place + 1 < count else ""
        then = words[place + 2] if place + 2 < count else ""
        before = words[max(0, place - 2) : place]
        if after in lists["voice"] and not lists["eyes"].isdisjoint(before[-1:]):
            self._coma(place)
            return
        if place + 1 < count and text.breaks[place + 1] > 0:
            after = then = ""
        # Written together: 84/50, 36/40, 30+5, 8/12; one character stands between.
        joined = bool(after) and self._is_second(place + 1)
        second = self._number(after) if joined else None
        if second is not None:
            self._by_two(place, number, second)
            return
        if after in lists["over-a-number"] and then[:1].isdigit():
            low = float(then) if then.isascii() else 0.0
            if 50 <= number <= 300 and 20 <= low < number - 5:
                self._pressure(place, place + 2, number, low)
            return
        old = then in lists["old"]
        is_age = lists["how-long"].isdisjoint(before)
        in_years = after in lists["years"] and (old or after in lists["years-alone"])
        by_sex = after in lists["sexes"] and number > 0 and number.is_integer()
        both = (place, place + 1)
        if number <= 110 and is_age and (in_years or by_sex):
            self._add("age", number, both)
        elif (
            after in lists["months"]
            and number <= 36
            and is_age
            and (old or after in lists["months-alone"] or self._stands_alone(place))
        ):
            self._add("age", number / 12, both)
        elif after in lists["weeks"] and number <= 52 and old:
            self._add("age", number / 52, both)
        elif after in lists["days"] and number <= 90 and old:
            self._add("age", number / 365, both)
        elif after in lists["weeks"] and is_age and 4 <= number <= 43:
            self._add("weeks", number, both)
        elif after in lists["fahrenheit"] and 97 <= number <= 108:
            self._add("temp", (number - 32) / 1.8, (place,))
        elif 34 <= number <= 43.5 and self._names_temperature(place):
            self._add("temp", number, (place,))
        elif (after in lists["celsius"] and 34 <= number <= 42.5) or _looks_like_fever(
            words[place], number, after
        ):
            self._add("temp", number, (place,), loose=True)

    def _names_temperature(self, place: int) -> bool:
        """Whether fever is named behind the number, as in "41.2 de fiebre".

        In "pulse 40 temp 36" the name is that of the next number.
        """
        of_and_name = (*self._text.words[place + 1 : place + 4], "", "", "")
        if of_and_name[0] in self._lists["of"]:
            return of_and_name[1] in self._lists["temperature"]
        return (
            "." in self._text.words[place]
            and of_and_name[0] in self._lists["temperature"]
            and not of_and_name[1][:1].isdigit()
        )

    def _by_two(self, place: int, number: float, second: float) -> None:
        both = (place, place + 1)
        if second == 40 and 4 <= number <= 42:
            self._add("weeks-pregnant", number, both)
        elif second == 12 and number <= 36:
            self._add("age", number / 12, both)
        elif second == 52 and number <= 16:
            self._add("weeks", number, both)
        elif number > second + 5 and 50 <= number <= 300 and 20 <= second <= 200:
            self._pressure(place, place + 1, number, second)
        elif 20 <= number <= 42 and second <= 6 and number.is_integer():
            self._add("weeks-pregnant", number, both)

    def _pressure(self, first: int, last: int, high: float, low: float) -> None:
        words = self._text.words
        near = (*words[max(0, first - 4) : first], *words[last + 1 : last + 3])
        loose = not self._around.not_a_pressure.isdisjoint(near)
        places = tuple(range(first, last + 1))
        self._add("sbp", high, places, loose)
        self._add("dbp", low, places, loose)

    def _coma(self, place: int) -> None:
        """E1V2M4, "eyes 1 verbal 2 motor 4": they add up to the scale."""
        parts = self._text.words[place : place + 5]
        if len(parts) < 5 or parts[3] not in self._lists["movement"]:
            return
        points = [self._number(part) for part in parts[::2]]
        score = sum(point for point in points if point is not None)
        if None not in points and 3 <= score <= 15:
            self._add("gcs", score, tuple(range(place - 1, place + 5)))

    def _stands_alone(self, place: int) -> bool:
        """A number and its unit between two commas: "..., 9 months": an age."""
        text, end = self._text, place + 2
        begins = place == 0 or text.breaks[place] > 0
        return begins and (end >= len(text) or text.breaks[end] > 0)


def _looks_like_fever(word: str, number: float, after: str) -> bool:
    units = ("kg", "mg", "g", "cm", "mm", "mmol", "k", "ml", "l", "kpa", "x", "units")
    return (
        "." in word and len(word) == 4 and 37.5 <= number <= 42 and (after not in units)
    )
