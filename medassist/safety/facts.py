"""Numbers, doses and denials of a text, so that two answers can be set side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from medassist.safety.dose_reading import find_doses

Kind = Literal["dose", "number", "negation"]

_NUMBER: Final = re.compile(
    r"(?<![\w.])\d{1,9}(?:[.,]\d{1,6})?\s?(?:%|mmhg|mmol/l|kpa|bpm|ml/min|weeks?|days?"
    r"|hours?|months?|years?|minutes?)?(?![\w])",
    re.IGNORECASE,
)
_NEGATION: Final = re.compile(
    r"\b(?:do not|does not|don't|doesn't|should not|shouldn't|must not|mustn't|cannot"
    r"|can't|is not|isn't|are not|aren't|not|never|no|without|avoid|stop"
    r"|contraindicated)\b(?:\s[^\W\d][^\W\d-]{0,30}){0,3}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or a denial.

    Attributes:
        kind: What it is.
        value: Written in one way, to be compared: small letters, single spaces; a dose
            as drug and amount in its base unit.
        span: Its characters.
    """

    kind: Kind
    value: str
    span: tuple[int, int]


def numbers_and_negations(text: str) -> tuple[Fact, ...]:
    """Every dose, number and denial of `text`, in order; never raises."""
    facts: list[Fact] = []
    doses = find_doses(text)
    for dose in doses:
        low, high = dose.in_base_unit()
        per = "".join(f"/{part}" for part in dose.per)
        amount = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        value = f"{dose.drug} {amount} {dose.family}{per}".strip()
        facts.append(Fact("dose", value, dose.span))
    taken = [dose.span for dose in doses]
    for kind, pattern in (("number", _NUMBER), ("negation", _NEGATION)):
        for match in pattern.finditer(text):
            start, end = match.span()
            if kind == "number" and any(start < b and a < end for a, b in taken):
                continue
            value = " ".join(match.group().lower().split())
            facts.append(
                Fact("number" if kind == "number" else "negation", value, (start, end))
            )
    return tuple(sorted(facts, key=lambda fact: fact.span))
