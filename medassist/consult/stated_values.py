"""Extracts doses, numbers and frequencies from a sentence in comparable form."""

from __future__ import annotations

from dataclasses import dataclass

from medassist.text.frequencies import frequencies
from medassist.text.numbers import Signs
from medassist.text.quantities import Key, Kind, quantities


@dataclass(frozen=True, slots=True)
class StatedValue:
    """A dose, number or frequency, from `start` up to `end` of the sentence.

    Attributes:
        kind: What it is.
        start: Its first character.
        end: The character after it.
        of: What it measures, in its canonical unit: only these can be held together.
        keys: Its value in that unit, two numbers for a range; several where it can be
            read in several ways.
    """

    kind: Kind
    start: int
    end: int
    of: str
    keys: frozenset[Key]


def stated(text: str, known: Signs) -> list[StatedValue]:
    """The doses and numbers of a sentence, in its order.

    Args:
        text: The sentence.
        known: The decimal signs that the whole answer uses beyond doubt.
    """
    found = [
        StatedValue("dose", often.start, often.end, "by day", _often(often.by_day))
        for often in frequencies(text)
        if often.by_day  # "once", which is also a word for "as soon as"
    ]
    for one in quantities(text, known):
        of = one.of
        if one.kind == "dose" and one.per[-1:] == ("day",):  # 4 g/day is 4 g daily
            of = of.removesuffix("/day")
            found.append(StatedValue("dose", one.start, one.end, "by day", _often(1.0)))
        found.append(StatedValue(one.kind, one.start, one.end, of, frozenset(one.keys)))
    return sorted(found, key=lambda one: (one.start, one.end))


def _often(by_day: float) -> frozenset[Key]:
    return frozenset({(float(f"{by_day:.9g}"),)})
