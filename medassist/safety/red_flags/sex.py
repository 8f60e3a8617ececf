"""The sex that a text tells of its patient, for what the other one cannot have."""

from __future__ import annotations

from collections.abc import Iterable

from medassist.safety.red_flags.reading import TextReading
from medassist.safety.red_flags.rule_files import Sex
from medassist.safety.red_flags.rules import SPEAKS_OF, TOLD_TO_BE


def told_sex(readings: Iterable[TextReading]) -> Sex | None:
    """The sex of the patient of a text, or None where anything speaks against it.

    "58-year-old man" tells it. A word of the other sex or of a pregnancy, wherever it
    stands, leaves it open: a man may tell of his wife, and a man may be pregnant. What
    is told of the illnesses of relatives is not looked at.

    Args:
        readings: The text as the rules of each of its languages read it.
    """
    there: set[str] = set()
    for reading in readings:
        others = reading.said.others
        there.update(
            hit.concept
            for hit in reading.hits
            if all(others[place] < 0 for place in hit.places)
        )
    if TOLD_TO_BE["male"] in there and there.isdisjoint(SPEAKS_OF["female"]):
        return "male"
    if TOLD_TO_BE["female"] in there and there.isdisjoint(SPEAKS_OF["male"]):
        return "female"
    return None
