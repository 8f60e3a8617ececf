"""The medical subjects of MMLU, out of the authors' CSV files or the Hub's JSON lines.

- CSV: `anatomy_test.csv` and so on, with or without a heading; solved questions from
  `anatomy_dev.csv`.
- JSON lines: `question`, `choices`, `answer` (from 0, or a letter) and `subject`; where
  that is missing, the name of the file or its folder has to tell it. The part is `test`
  or `dev` in the file's name. Of a file with all subjects the medical ones are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medassist.core.compressed import plain_name
from medassist.exams.exam_formats import LETTERS, Numbered, lettered, unlike
from medassist.exams.exam_rows import Row
from medassist.exams.mmlu_table import mmlu
from medassist.exams.multiple_choice import ExamError, ExamQuestion

SUBJECTS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)
"""Those that medical models are measured by: 1,089 questions."""
TEST, DEV = "test", "dev"
HUB_FIELDS = frozenset({"question", "choices", "answer"})
Solved = tuple[str, int]
"""A prompt and its right choice."""


@dataclass(frozen=True)
class Sheet:
    """The questions of one subject in one file."""

    part: str
    subject: str
    file: Path
    rows: tuple[Solved, ...]


def csv_subject(file: Path, part: str) -> str | None:
    """The subject of an authors' file of `part`; `None` where it is none."""
    name = plain_name(file)
    subject = name.removesuffix(f"_{part}.csv")
    return subject if subject in SUBJECTS and subject != name else None


def csv_sheet(file: Path, part: str, subject: str) -> Sheet:
    """The sheet of an authors' file of `part`.

    Raises:
        ExamError: it is in another form.
    """
    return Sheet(part, subject, file, tuple(mmlu(file)))


def hub_sheets(file: Path, rows: Numbered) -> list[Sheet]:
    """The sheets of a file of JSON lines; none where no subject is a medical one.

    Raises:
        ExamError: a row is in another form, or nothing tells its subject.
    """
    part = DEV if _words(file) & {DEV} else TEST
    named = _named_subject(file)
    by_subject: dict[str, list[Solved]] = {}
    for number, row in rows:
        subject = str(row.get("subject") or named or "")
        if not subject:
            raise ExamError(
                f"{file}, line {number}: neither a field `subject` nor the file's name "
                "tells the subject of MMLU. Name it anatomy_test.jsonl, for example."
            )
        if subject in SUBJECTS:
            by_subject.setdefault(subject, []).append(_solved(file, number, row))
    return [
        Sheet(part, subject, file, tuple(found))
        for subject, found in by_subject.items()
    ]


def not_held_out(file: Path) -> bool:
    """Whether a file of JSON lines is another part than the test or the solved ones."""
    return bool(_words(file) & {"val", "validation"})


@dataclass(frozen=True)
class Questions:
    """The questions of all subjects that can be asked.

    Attributes:
        questions: subject by subject.
        files: that they were read from.
        unlike: why subjects are left out, each as a sentence.
    """

    questions: tuple[ExamQuestion, ...]
    files: tuple[Path, ...]
    unlike: tuple[str, ...]


def questions(sheets: Sequence[Sheet], shots: int) -> Questions:
    """The questions of all subjects; one without its solved ones is left out.

    Raises:
        ExamError: a subject is there twice.
    """
    made: list[ExamQuestion] = []
    read: dict[Path, None] = {}
    unlike: list[str] = []
    for subject in SUBJECTS:
        test, dev = (_one(sheets, part, subject) for part in (TEST, DEV))
        if test is None:
            continue
        if shots and dev is None:
            unlike.append(
                f"{test.file} lacks {subject}_dev.csv, which has its solved questions: "
                "put it beside, or ask for none."
            )
            continue
        read[test.file] = None
        solved: tuple[tuple[str, str], ...] = ()
        if shots and dev is not None:
            read[dev.file] = None
            solved = tuple((prompt, LETTERS[gold]) for prompt, gold in dev.rows[:shots])
        about = (
            "The following are multiple choice questions (with answers) about "
            f"{subject.replace('_', ' ')}.\n\n"
        )
        made += [
            ExamQuestion(
                f"{subject}-{i}", subject, prompt, LETTERS, gold, about, solved
            )
            for i, (prompt, gold) in enumerate(test.rows)
        ]
    return Questions(tuple(made), tuple(read), tuple(unlike))


def _one(sheets: Sequence[Sheet], part: str, subject: str) -> Sheet | None:
    own = [one for one in sheets if (one.part, one.subject) == (part, subject)]
    if len(own) > 1:
        both = " and ".join(str(one.file) for one in own[:2])
        raise ExamError(
            f"{subject} ({part}) of MMLU is there twice: {both}. Leave one of them "
            "there."
        )
    return own[0] if own else None


def _solved(file: Path, number: int, row: Row) -> Solved:
    try:
        choices: Any = row["choices"]
        answer: Any = row["answer"]
        if not isinstance(choices, list) or len(choices) != len(LETTERS):  # pyright: ignore[reportUnknownArgumentType]
            raise ValueError("its choices are no list of four")
        gold = LETTERS.index(answer) if answer in LETTERS else int(answer)
        if not 0 <= gold < len(LETTERS):
            raise ValueError(f"the right choice is number {gold}")
        stem = str(row["question"]).strip()
    except (KeyError, TypeError, ValueError) as error:
        raise unlike(file, number, "MMLU", error) from None
    return lettered(f"{stem}\n", [str(choice) for choice in choices]), gold  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _named_subject(file: Path) -> str | None:
    own = plain_name(file).rpartition(".")[0]
    for name in (own, file.parent.name):
        for subject in SUBJECTS:
            if name == subject or name.startswith((f"{subject}_", f"{subject}-")):
                return subject
    return None


def _words(file: Path) -> set[str]:
    name = plain_name(file).rpartition(".")[0].lower()
    return set("".join(c if c.isalnum() else " " for c in name).split())
