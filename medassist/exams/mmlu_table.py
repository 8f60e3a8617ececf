"""A subject of MMLU as CSV: as its authors publish it, or as others have saved it.

The authors' files have no heading: a question, four choices and a letter. Copies have
one, with a column for each choice or one for all, and the right one by its letter or
by its number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from medassist.exams.exam_formats import LETTERS, lettered
from medassist.exams.exam_rows import records
from medassist.exams.multiple_choice import ExamError

_QUESTIONS = ("question", "prompt", "input")
_ANSWERS = ("answer", "target", "label", "correct", "gold")
_CHOICES = ("choices", "options")
_STEMS = ("", "choice", "option", "choice_", "option_", "choice ", "option ")
_MARKS = ("abcd", "0123", "1234")
# numpy writes a list without commas, which Python would join into one text.
_NUMPY = re.compile(r"(?<=['\"])\s+(?=['\"])")
_UNLIKE = (
    "expected a question, four choices and the right one by its letter or number, with "
    "or without a heading (question, A, B, C, D, answer)"
)


@dataclass(frozen=True)
class _Places:
    """Cells of a record, by what stands in them."""

    question: int
    choices: tuple[int, ...]
    answer: int


_BARE = _Places(0, (1, 2, 3, 4), 5)


def mmlu(file: Path) -> Iterator[tuple[str, int]]:
    """The prompts of a subject of MMLU, each with its right choice.

    Raises:
        ExamError: a record is of another form, or the numbers of the right choices do
            not tell whether they count from 0 or from 1.
    """
    every = list(enumerate(records(file), 1))
    places = _heading(every[0][1]) if every else None
    rows = every[1:] if places else every
    places = places or _BARE
    read = [_row(file, number, row, places) for number, row in rows if any(row)]
    if not read:
        raise ExamError(f"{file} has no questions; {_UNLIKE}.")
    numbers = {int(answer) for _, _, answer in read if answer.isdigit()}
    letters = {answer for _, _, answer in read if not answer.isdigit()}
    if numbers and letters:
        raise ExamError(f"{file} names right choices by letters and by numbers.")
    first = _first(file, numbers) if numbers else 0
    for question, choices, answer in read:
        right = int(answer) - first if numbers else LETTERS.index(answer)
        yield lettered(f"{question}\n", choices), right


def _row(
    file: Path, number: int, row: Sequence[str], places: _Places
) -> tuple[str, list[str], str]:
    try:
        choices = [row[at] for at in places.choices]
        if len(choices) == 1:
            choices = _listed(choices[0])
        question, answer = row[places.question].strip(), row[places.answer].strip()
        fits = places is not _BARE or len(row) == len(LETTERS) + 2
        known = answer.upper() in LETTERS or answer in ("0", "1", "2", "3", "4")
        if not fits or len(choices) != len(LETTERS) or not known:
            raise ValueError
    except (IndexError, ValueError, SyntaxError, RecursionError, MemoryError):
        end = f" that end with {row[-1][:20]!r}" if row else ""
        raise ExamError(
            f"{file}, record {number}: {_UNLIKE}; found {len(row)} fields{end}."
        ) from None
    return question, choices, answer.upper()


def _listed(text: str) -> list[str]:
    found: object = ast.literal_eval(_NUMPY.sub(", ", text.strip()))
    if not isinstance(found, list):
        raise ValueError
    return [str(each) for each in cast("list[object]", found)]


def _heading(row: Sequence[str]) -> _Places | None:
    """Places by the names of a heading; none if it is no heading."""
    names = [name.strip().casefold() for name in row]
    question = next((names.index(name) for name in _QUESTIONS if name in names), None)
    answer = next((names.index(name) for name in _ANSWERS if name in names), None)
    if question is None or answer is None:
        return None
    for name in _CHOICES:
        if name in names:
            return _Places(question, (names.index(name),), answer)
    for stem in _STEMS:
        for marks in _MARKS:
            if all(f"{stem}{mark}" in names for mark in marks):
                found = tuple(names.index(f"{stem}{mark}") for mark in marks)
                return _Places(question, found, answer)
    return None


def _first(file: Path, numbers: set[int]) -> int:
    """Whether numbers count from 0 or from 1: a mistake would make all of it wrong."""
    if 0 in numbers and max(numbers) < len(LETTERS):
        return 0
    if len(LETTERS) in numbers and min(numbers) > 0:
        return 1
    told = ", ".join(map(str, sorted(numbers)))
    raise ExamError(
        f"{file}: the right choices are {told}, which does not tell whether they count "
        "from 0 or from 1; write letters in their place."
    )
