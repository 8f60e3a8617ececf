"""Cases in German, French and Spanish, and what the rules find in them.

They were written before there was a rule that reads these languages. `aside`: every
third, kept back while the rules were written; `unseen` and, after that, `fresh`: by
somebody who saw no rule; `later`: in English too, by the authors, before the vocabulary
grew once more; `open` and `sealed`: in English too, by somebody who had not read the
rules, two thirds to mend by and a third that was run once afterwards; `half_open` and
`half_sealed`: likewise, in halves, later; `final_open` and `final_sealed`: in halves
again, by writers who neither mended nor saw a rule; `broad`: by the authors, flag by
flag and many manners of writing, before the vocabulary grew by it; `kinds`: in English
too, by who mended, ways of saying it that were missing as a kind, written before they
were mended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from medassist.safety.dose_mentions import Dose, find_doses
from medassist.safety.doses import check_doses
from medassist.safety.red_flags import find_red_flags
from medassist.text.units import unit
from tests.safety.identifier_sentences import unmarked

FOLDER: Final = Path(__file__).parent / "cases" / "languages"
LANGUAGES: Final = ("german", "french", "spanish")
SETS: Final = (
    "seen",
    "aside",
    "unseen",
    "fresh",
    "later",
    "open",
    "sealed",
    "half_open",
    "half_sealed",
    "final_open",
    "final_sealed",
    "broad",
    "kinds",
)
FLAGGED, DOSE, IDENTIFIER = "red flag", "dose", "identifier"
SILENT: Final = (
    "negated",
    "history",
    "family",
    "hypothetical",
    "education",
    "exam",
    "harmless",
)
OF_AMOUNT: Final = frozenset({"unit", "range", "day", "weekly", "never"})
"""Warnings that a right dose must not raise."""


@dataclass(frozen=True)
class Case:
    """A text and what is right of it.

    Attributes:
        language: Of the text.
        kind: `FLAGGED`, `DOSE`, `IDENTIFIER`, or one of `SILENT`.
        text: What somebody writes; of a dose what a model answers.
        flags: Flags of which one at least must be raised.
        doses: Doses that must be read.
        warns: Warnings that must be given; `None`: not looked at.
    """

    language: str
    kind: str
    text: str
    flags: frozenset[str] = frozenset()
    doses: tuple[dict[str, Any], ...] = field(default=())
    warns: frozenset[str] | None = None


def cases(language: str, which: str) -> Iterator[Case]:
    """The cases of a language in one of `SETS`; none where there is no such file."""
    name = language if which == "seen" else f"{language}_{which}"
    file = FOLDER / f"{name}.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for line in lines:
        if line and not line.startswith("#"):
            row = json.loads(line)
            warns = row.get("warns")
            yield Case(
                language,
                row["kind"],
                row["text"],
                frozenset(row.get("flags", ())),
                tuple(row.get("doses", ())),
                None if warns is None else frozenset(warns),
            )


def wrong(case: Case) -> str:
    """What is not as it should be; empty where all is."""
    if case.kind == DOSE:
        return _wrong_dose(case)
    if case.kind == IDENTIFIER:
        return _wrong_marks(case.text)
    raised = {flag.id for flag in find_red_flags(case.text)}
    if case.kind == FLAGGED:
        return "" if raised & case.flags else f"missed {'|'.join(sorted(case.flags))}"
    return ", ".join(sorted(raised))


def _wrong_dose(case: Case) -> str:
    found = find_doses(case.text)
    for wanted in case.doses:
        if not any(_is(dose, wanted) for dose in found):
            return f"not read: {wanted}"
    warned = {str(warning.kind) for warning in check_doses("", case.text)}
    if case.warns is not None:
        if lacking := case.warns - warned:
            return f"no warning: {', '.join(sorted(lacking))}"
        if too_many := (warned & OF_AMOUNT) - case.warns:
            return f"warned: {', '.join(sorted(too_many))}"
    return ""


def _is(dose: Dose, wanted: dict[str, Any]) -> bool:
    named = unit(wanted["unit"])
    assert named is not None
    amount = wanted["amount"] * named.factor
    if dose.drug != wanted["drug"]:
        return False
    if not any(abs(low - amount) <= 1e-6 * amount for low, _ in dose.readings):
        return False
    if "route" in wanted and dose.route != wanted["route"]:
        return False
    times: Literal[0] | float | None = wanted.get("times")
    return times is None or (
        dose.times_a_day is not None and abs(dose.times_a_day - times) < 0.01
    )


def _wrong_marks(line: str) -> str:
    from medassist.safety.identifiers import find_identifiers

    note = unmarked(line)
    marks = [mark.span for mark in find_identifiers(note.text)]
    for planted in note.planted:
        start, end = planted.span
        if not any(first <= start and end <= last for first, last in marks):
            return f"not marked: {note.text[start:end]}"
    for first, last in marks:
        if not any(first < p.span[1] and p.span[0] < last for p in note.planted):
            return f"marked: {note.text[first:last]}"
    return ""
