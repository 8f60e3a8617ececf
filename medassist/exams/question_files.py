"""Reads exams in their published formats, plain or compressed (.gz, .xz, .bz2).

Prompts are those of lm-eval's tasks `medqa_4options`, `medmcqa`, `pubmedqa` and
`mmlu_*`, so that accuracies can be laid beside published ones.

- MedQA, MedMCQA, MedXpertQA: JSON lines; `exam_formats.py` has their fields.
- PubMedQA: `ori_pqal.json` with `test_ground_truth.json` beside it or below the folder,
  or a file of another name that has the decisions in it.
- MMLU: `anatomy_test.csv` and so on, or JSON lines; see `mmlu_files.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from medassist.core.compressed import plain_name
from medassist.core.files import sha256_of_file
from medassist.exams import mmlu_files
from medassist.exams.exam_formats import BY_FIELDS, Numbered, pubmedqa
from medassist.exams.exam_rows import Row, rows, whole_object
from medassist.exams.mmlu_files import DEV, HUB_FIELDS, SUBJECTS, TEST, Sheet
from medassist.exams.multiple_choice import ExamError, ExamQuestion

TITLES = {
    "medqa_4options": "MedQA (USMLE, 4 options)",
    "medmcqa": "MedMCQA (validation)",
    "pubmedqa": "PubMedQA (labelled test set)",
    "mmlu_medical": "MMLU, six medical subjects",
    "medxpertqa_text": "MedXpertQA (text)",
}
PUBMEDQA, PUBMEDQA_TRUTH = "ori_pqal.json", "test_ground_truth.json"
PUBMEDQA_FIELDS = {"QUESTION", "CONTEXTS"}
EXPECTED = (
    "MedQA, MedMCQA or MedXpertQA as JSON lines (.jsonl or .json), "
    f"{PUBMEDQA} with {PUBMEDQA_TRUTH} or PubMedQA in one file with its decisions, or "
    "MMLU as anatomy_test.csv with anatomy_dev.csv or as JSON lines; plain or "
    "compressed"
)


@dataclass(frozen=True)
class ExamPaper:
    """An exam read from a file.

    Attributes:
        task: its short name.
        title: what it is called.
        questions: all of them.
        shots: solved questions before each, at most.
        files: the sha256 of what it was read from, by name.
    """

    task: str
    title: str
    questions: tuple[ExamQuestion, ...]
    shots: int
    files: dict[str, str]


@dataclass(frozen=True)
class FolderExams:
    """The exams in a folder.

    Attributes:
        papers: in the order of `TITLES`.
        passed_over: files that hold no exam's questions, and why.
        unlike: what is wrong with files of an exam that could not be read, each as a
            sentence that names it.
    """

    papers: tuple[ExamPaper, ...]
    passed_over: tuple[tuple[Path, str], ...]
    unlike: tuple[str, ...]


@dataclass(frozen=True)
class NoExam:
    """Why a file is not an exam."""

    why: str


def find_exams(folder: Path, shots: int = 0) -> FolderExams:
    """All the exams in `folder` and below; a file that is not as it should be is told.

    Args:
        folder: holds files in published formats.
        shots: solved questions before each question of MMLU, at most. Public
            leaderboards of medical models have none.

    Raises:
        ExamError: there is no exam, or one is there twice.
    """
    if not folder.is_dir():
        raise ExamError(f"{folder} is no folder. It should hold {EXPECTED}.")
    papers: dict[str, ExamPaper] = {}
    passed: list[tuple[Path, str]] = []
    unlike: list[str] = []
    sheets: list[Sheet] = []
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    for file in files:
        try:
            paper = _read(file, files, folder, shots)
        except ExamError as error:
            unlike.append(str(error))
            continue
        if isinstance(paper, list):
            sheets += paper
        elif isinstance(paper, NoExam):
            passed.append((file, paper.why))
        elif paper is not None and paper.task in papers:
            raise ExamError(
                f"{folder} holds {paper.title} twice: in {file.name} and in "
                f"{', '.join(papers[paper.task].files)}. Leave one of them there."
            )
        elif paper is not None:
            papers[paper.task] = paper
    if mmlu := _mmlu(sheets, shots, unlike):
        papers[mmlu.task] = mmlu
    if not papers:
        others = [*unlike, *(f"{file.name} {why}" for file, why in passed)][:5]
        raise ExamError(
            f"{folder} holds no exam. Expected were {EXPECTED}. "
            f"Found: {'; '.join(others) or 'nothing of these kinds'}."
        )
    return FolderExams(
        tuple(papers[t] for t in TITLES if t in papers), tuple(passed), tuple(unlike)
    )


def _read(
    file: Path, files: Sequence[Path], folder: Path, shots: int
) -> ExamPaper | NoExam | list[Sheet] | None:
    """An exam, parts of MMLU, or why it is none; `None`: nothing of these kinds."""
    name = plain_name(file)
    if name == PUBMEDQA:
        return _pubmedqa(file, _one(PUBMEDQA_TRUTH, files, folder))
    if name == PUBMEDQA_TRUTH:
        return None  # read with what it belongs to
    for part in (TEST, DEV):
        if subject := mmlu_files.csv_subject(file, part):
            wanted = part == TEST or shots
            return [mmlu_files.csv_sheet(file, part, subject)] if wanted else None
    if name.endswith((".jsonl", ".json")):
        return _json(file)
    if name.endswith((".csv", ".parquet")):
        return NoExam("is none of the files that were looked for")
    return None


def _json(file: Path) -> ExamPaper | NoExam | list[Sheet]:
    """An exam in JSON lines, a part of MMLU, or PubMedQA in one file."""
    every = rows(file)
    first = next(every, None)
    if plain_name(file).endswith(".json") and (first is None or _is_pubmedqa(first[1])):
        try:
            found = whole_object(file)
        except ExamError:
            return NoExam("is neither JSON lines nor a whole JSON object")
        if _is_pubmedqa(found):
            return _pubmedqa_alone(file, found)
    if first is None:
        return NoExam("is empty or holds no JSON lines")
    if first[1].keys() >= HUB_FIELDS:
        return _mmlu_lines(file, [first, *every])
    of_kind = (each for each in BY_FIELDS if each[1] <= first[1].keys())
    known = next(of_kind, None)
    if known is None:
        keys = ", ".join(list(first[1])[:6])
        return NoExam(f"has the fields {keys}: no exam that is known")
    task, _, make = known
    if why := _not_held_out(task, file, first[1]):
        return NoExam(why)
    questions = tuple(make(file, [first, *every]))
    return ExamPaper(task, TITLES[task], questions, 0, _hashes([file]))


def _mmlu_lines(file: Path, every: Numbered) -> list[Sheet] | NoExam:
    if "train" in plain_name(file):
        return NoExam("is for training")
    if mmlu_files.not_held_out(file):
        return NoExam("is MMLU's validation set; the test set is wanted")
    found = mmlu_files.hub_sheets(file, every)
    return found or NoExam("is MMLU of other subjects than the medical ones")


def _not_held_out(task: str, file: Path, first: Row) -> str:
    """Why a file's questions are none to be examined by; "" if they are."""
    name = plain_name(file).rpartition(".")[0].lower()
    if "train" in name:
        return "is for training"
    if task == "medmcqa" and name == "test":
        return "is MedMCQA's test set, whose answers are not published"
    if task != "medmcqa" and name.endswith(("dev", "validation")):
        exam = TITLES[task].partition(" ")[0]
        return f"is {exam}'s development set; the test set is wanted"
    if first.get("images"):
        return "asks about pictures, which no model here sees"
    return ""


def _is_pubmedqa(found: Row) -> bool:
    row: object = next(iter(found.values()), None)
    return isinstance(row, dict) and cast(Row, row).keys() >= PUBMEDQA_FIELDS


def _pubmedqa(file: Path, truth: Path) -> ExamPaper:
    every, golds = whole_object(file), whole_object(truth)
    questions = tuple(pubmedqa(file, every, golds, truth))
    if not questions:
        raise ExamError(f"{truth} names no questions.")
    files = _hashes([file, truth])
    return ExamPaper("pubmedqa", TITLES["pubmedqa"], questions, 0, files)


def _pubmedqa_alone(file: Path, found: Row) -> ExamPaper | NoExam:
    """PubMedQA with its decisions; they are those of the file, whichever part it is."""
    if not any("final_decision" in row for row in found.values()):
        return NoExam("is PubMedQA without decisions")
    if "pqaa" in file.name:
        return NoExam("is PubMedQA's artificial part, whose answers nobody wrote")
    golds = {key: row.get("final_decision") for key, row in found.items()}
    questions = tuple(pubmedqa(file, found, golds, file))
    return ExamPaper(
        "pubmedqa", f"PubMedQA ({file.name})", questions, 0, _hashes([file])
    )


def _mmlu(sheets: Sequence[Sheet], shots: int, unlike: list[str]) -> ExamPaper | None:
    found = mmlu_files.questions(sheets, shots)
    unlike += found.unlike
    if not found.questions:
        return None
    count = len({question.group for question in found.questions})
    title = TITLES["mmlu_medical"]
    if count < len(SUBJECTS):
        title = f"MMLU, {count} of six medical subjects"
    files = _hashes(found.files)
    return ExamPaper("mmlu_medical", title, found.questions, shots, files)


def _one(name: str, files: Sequence[Path], folder: Path) -> Path:
    found = [file for file in files if plain_name(file) == name]
    if not found:
        raise ExamError(f"{folder} holds no {name}, which belongs to the exam in it.")
    if len(found) > 1:
        both = " and ".join(str(file) for file in found[:2])
        raise ExamError(f"{name} is there twice: {both}. Leave one of them there.")
    return found[0]


def _hashes(files: Sequence[Path]) -> dict[str, str]:
    return {file.name: sha256_of_file(file) for file in files}
