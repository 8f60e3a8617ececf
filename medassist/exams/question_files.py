"""Reads exams in their published formats, plain or compressed (.gz, .xz, .bz2).

Prompts are those of lm-eval's tasks `medqa_4options`, `medmcqa`, `pubmedqa` and
`mmlu_*`, so that accuracies can be laid beside published ones.

- MedQA, MedMCQA, MedXpertQA: JSON lines; `exam_formats.py` has their fields.
- PubMedQA: `ori_pqal.json` with `test_ground_truth.json` beside it or below the folder,
  or a file of another name that has the decisions in it.
- MMLU: `anatomy_test.csv` and so on, without a head; solved questions from
  `anatomy_dev.csv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from medassist.core.compressed import plain_name
from medassist.core.files import sha256_of_file
from medassist.exams.exam_formats import BY_FIELDS, LETTERS, mmlu, pubmedqa
from medassist.exams.exam_rows import Row, rows, whole_object
from medassist.exams.multiple_choice import ExamError, Question

SUBJECTS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)
"""Of MMLU, those that medical models are measured by: 1,089 questions."""
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
    "MMLU as anatomy_test.csv with anatomy_dev.csv; plain or compressed"
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
    questions: tuple[Question, ...]
    shots: int
    files: dict[str, str]


@dataclass(frozen=True)
class FolderExams:
    """The exams in a folder.

    Attributes:
        papers: in the order of `TITLES`.
        passed_over: files that hold no exam's questions, and why.
    """

    papers: tuple[ExamPaper, ...]
    passed_over: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class PassedOver:
    """Why a file is not an exam."""

    why: str


def find_exams(folder: Path, shots: int = 0) -> FolderExams:
    """All the exams in `folder` and below.

    Args:
        folder: holds files in published formats.
        shots: solved questions before each question of MMLU, at most. Public
            leaderboards of medical models have none.

    Raises:
        ExamError: there is no exam, one is there twice, or a file is not what it
            seems to be.
    """
    if not folder.is_dir():
        raise ExamError(f"{folder} is no folder. It should hold {EXPECTED}.")
    papers: dict[str, ExamPaper] = {}
    passed: list[tuple[Path, str]] = []
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    tests = [p for p in files if _subject(p, "test")]
    for file in files:
        name = plain_name(file)
        if name == PUBMEDQA:
            paper = _pubmedqa(file, _one(PUBMEDQA_TRUTH, files, folder))
        elif name == PUBMEDQA_TRUTH or _subject(file, "dev") or file in tests:
            continue  # read with what it belongs to
        elif name.endswith((".jsonl", ".json")):
            paper = _json(file)
        elif name.endswith((".csv", ".parquet")):
            paper = PassedOver("is none of the files that were looked for")
        else:
            continue
        if isinstance(paper, PassedOver):
            passed.append((file, paper.why))
        elif paper.task in papers:
            raise ExamError(
                f"{folder} holds {paper.title} twice: in {file.name} and in "
                f"{', '.join(papers[paper.task].files)}. Leave one of them there."
            )
        else:
            papers[paper.task] = paper
    if tests:
        papers["mmlu_medical"] = _mmlu(tests, files, folder, shots)
    if not papers:
        others = "; ".join(f"{file.name} {why}" for file, why in passed[:5])
        raise ExamError(
            f"{folder} holds no exam. Expected were {EXPECTED}. "
            f"Found: {others or 'nothing of these kinds'}."
        )
    return FolderExams(tuple(papers[t] for t in TITLES if t in papers), tuple(passed))


def _json(file: Path) -> ExamPaper | PassedOver:
    """An exam in JSON lines, or PubMedQA in one file."""
    every = rows(file)
    first = next(every, None)
    if plain_name(file).endswith(".json") and (first is None or _is_pubmedqa(first[1])):
        try:
            found = whole_object(file)
        except ExamError:
            return PassedOver("is neither JSON lines nor a whole JSON object")
        if _is_pubmedqa(found):
            return _pubmedqa_alone(file, found)
    if first is None:
        return PassedOver("is empty or holds no JSON lines")
    of_kind = (each for each in BY_FIELDS if each[1] <= first[1].keys())
    known = next(of_kind, None)
    if known is None:
        keys = ", ".join(list(first[1])[:6])
        return PassedOver(f"has the fields {keys}: no exam that is known")
    task, _, make = known
    if why := _not_held_out(task, file, first[1]):
        return PassedOver(why)
    questions = tuple(make(file, [first, *every]))
    return ExamPaper(task, TITLES[task], questions, 0, _hashes([file]))


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


def _pubmedqa_alone(file: Path, found: Row) -> ExamPaper | PassedOver:
    """PubMedQA with its decisions; they are those of the file, whichever part it is."""
    if not any("final_decision" in row for row in found.values()):
        return PassedOver("is PubMedQA without decisions")
    if "pqaa" in file.name:
        return PassedOver("is PubMedQA's artificial part, whose answers nobody wrote")
    golds = {key: row.get("final_decision") for key, row in found.items()}
    questions = tuple(pubmedqa(file, found, golds, file))
    return ExamPaper(
        "pubmedqa", f"PubMedQA ({file.name})", questions, 0, _hashes([file])
    )


def _mmlu(
    tests: Sequence[Path], files: Sequence[Path], folder: Path, shots: int
) -> ExamPaper:
    questions: list[Question] = []
    read: list[Path] = []
    for subject in SUBJECTS:
        own = [file for file in tests if _subject(file, "test") == subject]
        if not own:
            continue
        file = _one(f"{subject}_test.csv", own, folder)
        read.append(file)
        solved: tuple[tuple[str, str], ...] = ()
        if shots:
            dev = _one(f"{subject}_dev.csv", files, folder)
            read.append(dev)
            examples = list(mmlu(dev))[:shots]
            solved = tuple((prompt, LETTERS[gold]) for prompt, gold in examples)
        about = (
            "The following are multiple choice questions (with answers) about "
            f"{subject.replace('_', ' ')}.\n\n"
        )
        questions += [
            Question(f"{subject}-{i}", subject, prompt, LETTERS, gold, about, solved)
            for i, (prompt, gold) in enumerate(mmlu(file))
        ]
    title = TITLES["mmlu_medical"]
    return ExamPaper("mmlu_medical", title, tuple(questions), shots, _hashes(read))


def _subject(file: Path, part: str) -> str | None:
    name = plain_name(file)
    subject = name.removesuffix(f"_{part}.csv")
    return subject if subject in SUBJECTS and subject != name else None


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
