"""Questions from the rows of published exams, with lm-eval's prompts.

- MedQA: `question`, `options` {A to D} and `answer_idx`, as the authors publish them,
  or `sent1`, `ending0` to `ending3` and `label`.
- MedMCQA: `question`, `opa` to `opd` and `cop`, which counts from 1 in the authors'
  files and from 0 in the Hub's.
- MedXpertQA: `question`, `options` {A to J} and `label`. lm-eval has no such task; the
  questions are put as those of MedQA.
- PubMedQA: an object by PMID with QUESTION, CONTEXTS and, where the answers are not in
  a file of their own, `final_decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, cast

from medassist.exams.exam_rows import Row
from medassist.exams.multiple_choice import ExamError, ExamQuestion

LETTERS = ("A", "B", "C", "D")
DECISIONS = ("yes", "no", "maybe")
_LISTED = "\nAnswer Choices:"  # what MedXpertQA's questions end with, and its options
Numbered = Sequence[tuple[int, Row]]


def lettered(stem: str, options: Sequence[str]) -> str:
    """`stem`, the options with their letters a line each, and `Answer:`."""
    lines = zip(ascii_uppercase, options, strict=False)
    return stem + "".join(f"{letter}. {text}\n" for letter, text in lines) + "Answer:"


def medqa(file: Path, rows: Numbered) -> Iterator[ExamQuestion]:
    """The questions of MedQA with four options.

    Raises:
        ExamError: a row is in another form; so of the other exams.
    """
    for number, row in rows:
        try:
            if "options" in row:
                options = [str(row["options"][letter]) for letter in LETTERS]
                if len(row["options"]) != len(LETTERS):
                    raise ExamError(
                        f"{file}, line {number}: {len(row['options'])} options, where "
                        "the version with four is expected (US/4_options)."
                    )
                stem, gold = str(row["question"]), LETTERS.index(row["answer_idx"])
            else:
                options = [str(row[f"ending{i}"]) for i in range(len(LETTERS))]
                stem, gold = str(row["sent1"]), _within(int(row["label"]))
        except (KeyError, TypeError, ValueError) as error:
            raise unlike(file, number, "MedQA", error) from None
        prompt = lettered(f"Question: {stem}\n", options)
        yield ExamQuestion(str(row.get("id", number)), "", prompt, LETTERS, gold)


def medmcqa(file: Path, rows: Numbered) -> Iterator[ExamQuestion]:
    """The questions of MedMCQA, with their subjects."""
    try:
        first = _first_choice(file, {int(row["cop"]) for _, row in rows})
    except (KeyError, TypeError, ValueError) as error:
        raise unlike(file, rows[0][0], "MedMCQA", error) from None
    for number, row in rows:
        try:
            options = [str(row[f"op{letter}"]) for letter in "abcd"]
            stem, gold = str(row["question"]), _within(int(row["cop"]) - first)
        except (KeyError, TypeError, ValueError) as error:
            raise unlike(file, number, "MedMCQA", error) from None
        prompt = lettered(f"Question: {stem}\nChoices:\n", options)
        subject = str(row.get("subject_name") or "")
        yield ExamQuestion(str(row.get("id", number)), subject, prompt, LETTERS, gold)


def medxpertqa(file: Path, rows: Numbered) -> Iterator[ExamQuestion]:
    """The text questions of MedXpertQA, with their body systems."""
    for number, row in rows:
        try:
            options = _marked(row["options"])
            label = row["label"]
            (mark,) = cast("list[Any]", label) if isinstance(label, list) else [label]
            letters = tuple(ascii_uppercase[: len(options)])
            if tuple(options) != letters:
                raise ValueError(f"its options are {', '.join(options)}")
            gold = letters.index(mark)
            stem = str(row["question"]).partition(_LISTED)[0]
        except (KeyError, TypeError, ValueError) as error:
            raise unlike(file, number, "MedXpertQA", error) from None
        prompt = lettered(f"Question: {stem}\n", list(options.values()))
        group = str(row.get("body_system") or "")
        yield ExamQuestion(str(row.get("id", number)), group, prompt, letters, gold)


def pubmedqa(file: Path, rows: Row, golds: Row, truth: Path) -> Iterator[ExamQuestion]:
    """The questions of PubMedQA that `golds` has the decisions of, by PMID."""
    for key, decision in golds.items():
        try:
            row = rows[key]
            abstract = "\n".join(str(context) for context in row["CONTEXTS"])
            gold = DECISIONS.index(decision)
            stem = str(row["QUESTION"])
        except (KeyError, TypeError, ValueError) as error:
            raise ExamError(
                f"{file}: the question {key} of {truth.name} is missing or has other "
                f"fields than PubMedQA's QUESTION, CONTEXTS and yes, no or maybe "
                f"({type(error).__name__}: {error})."
            ) from None
        prompt = f"Abstract: {abstract}\nQuestion: {stem}\nAnswer:"
        yield ExamQuestion(key, "", prompt, DECISIONS, gold)


BY_FIELDS: tuple[
    tuple[str, frozenset[str], Callable[[Path, Numbered], Iterator[ExamQuestion]]], ...
] = (
    ("medmcqa", frozenset({"question", "opa", "opd"}), medmcqa),
    ("medqa_4options", frozenset({"question", "options", "answer_idx"}), medqa),
    ("medqa_4options", frozenset({"sent1", "ending0", "label"}), medqa),
    ("medxpertqa_text", frozenset({"question", "options", "label"}), medxpertqa),
)
"""Exams in JSON lines: the name, fields that its rows have, and who reads them."""


def _marked(options: Any) -> dict[str, str]:
    """Options by their letters: {A: text}, or [{letter, content}]."""
    if isinstance(options, dict):
        pairs = cast("dict[str, Any]", options).items()
        return {mark: str(text) for mark, text in pairs if text is not None}
    return {str(each["letter"]): str(each["content"]) for each in options}


def _first_choice(file: Path, found: set[int]) -> int:
    """Whether `cop` counts from 0 or from 1: a mistake would make all of it wrong."""
    if 0 in found and max(found) < len(LETTERS):
        return 0
    if len(LETTERS) in found and min(found) > 0:
        return 1
    raise ExamError(
        f"{file}: `cop` has the values {', '.join(map(str, sorted(found)[:6]))}, which "
        "does not tell whether it counts from 0 or from 1. Take a whole file with "
        "answers: MedMCQA's dev.json, or the Hub's validation set."
    )


def _within(gold: int) -> int:
    if not 0 <= gold < len(LETTERS):
        raise ValueError(f"the right choice is number {gold}")
    return gold


def unlike(file: Path, number: int, exam: str, error: Exception) -> ExamError:
    """Error for a line that is not in the format of an exam."""
    what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return ExamError(f"{file}, line {number} is not in the format of {exam}: {what}.")
