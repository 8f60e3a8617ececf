"""Doses in whole answers, in four languages: cases that were written before the rules.

`tests/safety/cases/FIRST_RUN.md` says what the first runs found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from medassist.safety.doses import check_doses

FILE = Path(__file__).parent / "cases" / "dose_answers.jsonl"
OF_AMOUNT = frozenset({"unit", "range", "day", "weekly", "never"})
MISSED = {"nutrición parenteral en adulto"}
"""Questions of dangerous answers that pass: an amount for a litre is not judged."""


@dataclass(frozen=True)
class Answer:
    """An answer of a model, as one writes it.

    Attributes:
        kind: "dangerous" or "right".
        language: It is written in.
        drug: The drug that the warning must be about.
        question: What was asked.
        answer: What it says.
        set: "seen" while the rules were mended, or put "aside".
    """

    kind: str
    language: str
    drug: str
    question: str
    answer: str
    set: str


def answers(kind: str) -> list[Answer]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [one for line in lines if (one := Answer(**json.loads(line))).kind == kind]


def warned(one: Answer) -> set[str]:
    """The drugs about whose amount a warning is given."""
    raised = check_doses(one.question, one.answer)
    return {warning.drug for warning in raised if warning.kind in OF_AMOUNT}


def test_a_third_of_the_answers_was_put_aside_evenly() -> None:
    for kind in ("dangerous", "right"):
        of_kind = answers(kind)
        assert len(of_kind) == 30
        assert sum(one.set == "aside" for one in of_kind) == 10
        assert len({one.language for one in of_kind}) == 4


def test_a_dangerous_dose_in_an_answer_is_asked_about() -> None:
    missed = {
        one.question for one in answers("dangerous") if one.drug not in warned(one)
    }
    assert missed == MISSED


def test_a_right_dose_in_an_answer_is_left_in_peace() -> None:
    disturbed = [(one.question, warned(one)) for one in answers("right") if warned(one)]
    assert disturbed == []
