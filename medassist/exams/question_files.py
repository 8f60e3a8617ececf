"""Exams out of files in their published formats: MedQA, MedMCQA, PubMedQA, MMLU.

Prompts are those of lm-eval's tasks `medqa_4options`, `medmcqa`, `pubmedqa` and
`mmlu_*`, so that accuracies can be laid beside published ones.

- MedQA: JSON lines with `question`, `options` {A to D} and `answer_idx`, as the authors
  publish them, or with `sent1`, `ending0` to `ending3` and `label`.
- MedMCQA: JSON lines with `question`, `opa` to `opd` and `cop`, which counts from 1 in
  the authors' files and from 0 in the Hub's.
- PubMedQA: `ori_pqal.json` with `test_ground_truth.json` beside it or below the folder.
- MMLU: `anatomy_test.csv` and so on, without a head; solved questions from
  `anatomy_dev.csv`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from medassist.core.files import sha256_of_file
from medassist.exams.multiple_choice import ExamError, Question

LETTERS = ("A", "B", "C", "D")
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
}
PUBMEDQA, PUBMEDQA_TRUTH = "ori_pqal.json", "test_ground_truth.json"
DECISIONS = ("yes", "no", "maybe")
MOST_BYTES = 1 << 30  # of a file; the largest published one has 190 MB
EXPECTED = (
    "MedQA or MedMCQA as JSON lines (.jsonl or .json), "
    f"{PUBMEDQA} with {PUBMEDQA_TRUTH}, or MMLU as anatomy_test.csv with "
    "anatomy_dev.csv"
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class ExamPaper:
    """An exam as it was found.

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
class Found:
    """The exams in a folder.

    Attributes:
        papers: in the order of `TITLES`.
        passed_over: files that hold no exam's questions, and why.
    """

    papers: tuple[ExamPaper, ...]
    passed_over: tuple[tuple[Path, str], ...]


def find_exams(folder: Path, shots: int = 5) -> Found:
    """All the exams in `folder` and below.

    Args:
        folder: holds files in published formats.
        shots: solved questions before each question of MMLU, at most.

    Raises:
        ExamError: there is no exam, one is there twice, or a file is not what it
            seems to be.
    """
    if not folder.is_dir():
        raise ExamError(f"{folder} is no folder. It should hold {EXPECTED}.")
    papers: dict[str, ExamPaper] = {}
    passed: list[tuple[Path, str]] = []
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    mmlu = [p for p in files if _subject(p, "test")]
    for file in files:
        paper = None
        if file.suffix == ".jsonl" or (
            file.suffix == ".json" and file.name not in (PUBMEDQA, PUBMEDQA_TRUTH)
        ):
            paper = _json_lines(file, passed)
        elif file.name == PUBMEDQA:
            paper = _pubmedqa(file, _one(PUBMEDQA_TRUTH, files, folder))
        elif file.name == PUBMEDQA_TRUTH or _subject(file, "dev") or file in mmlu:
            pass  # read with what it belongs to
        elif file.suffix in (".csv", ".json", ".parquet"):
            passed.append((file, "is none of the files that were looked for"))
        if paper is not None:
            if paper.task in papers:
                raise ExamError(
                    f"{folder} holds {paper.title} twice: in {file.name} and in "
                    f"{', '.join(papers[paper.task].files)}. Leave one of them there."
                )
            papers[paper.task] = paper
    if mmlu:
        papers["mmlu_medical"] = _mmlu(mmlu, files, folder, shots)
    if not papers:
        others = "; ".join(f"{file.name} {why}" for file, why in passed[:5])
        raise ExamError(
            f"{folder} holds no exam. Expected were {EXPECTED}. "
            f"Found: {others or 'nothing of these kinds'}."
        )
    return Found(tuple(papers[t] for t in TITLES if t in papers), tuple(passed))


def lettered(stem: str, options: Sequence[str]) -> str:
    """`stem`, the options with their letters a line each, and `Answer:`."""
    lines = zip(LETTERS, options, strict=True)
    return stem + "".join(f"{letter}. {text}\n" for letter, text in lines) + "Answer:"


def _json_lines(file: Path, passed: list[tuple[Path, str]]) -> ExamPaper | None:
    """MedQA or MedMCQA; `None` of a file that is neither or is no held-out part."""
    rows = _rows(file)
    first = next(rows, None)
    if first is None:
        passed.append((file, "is empty or holds no JSON lines"))
        return None
    if {"question", "opa", "opd"} <= first[1].keys():
        task = "medmcqa"
    elif {"question", "options", "answer_idx"} <= first[1].keys() or {
        "sent1",
        "ending0",
        "label",
    } <= first[1].keys():
        task = "medqa_4options"
    else:
        keys = ", ".join(list(first[1])[:6])
        passed.append((file, f"has the fields {keys}: no exam that is known"))
        return None
    name = file.stem.lower()
    if "train" in name:
        passed.append((file, "is for training"))
        return None
    if task == "medmcqa" and name == "test":
        passed.append((file, "is MedMCQA's test set, whose answers are not published"))
        return None
    if task == "medqa_4options" and name.endswith(("dev", "validation")):
        passed.append((file, "is MedQA's development set; the test set is wanted"))
        return None
    whole = [first, *rows]
    make = _medmcqa if task == "medmcqa" else _medqa
    return ExamPaper(task, TITLES[task], tuple(make(file, whole)), 0, _hashes([file]))


def _medqa(file: Path, rows: Sequence[tuple[int, Row]]) -> Iterator[Question]:
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
            raise _unlike(file, number, "MedQA", error) from None
        prompt = lettered(f"Question: {stem}\n", options)
        yield Question(str(row.get("id", number)), "", prompt, LETTERS, gold)


def _medmcqa(file: Path, rows: Sequence[tuple[int, Row]]) -> Iterator[Question]:
    try:
        first = _first_choice(file, {int(row["cop"]) for _, row in rows})
    except (KeyError, TypeError, ValueError) as error:
        raise _unlike(file, rows[0][0], "MedMCQA", error) from None
    for number, row in rows:
        try:
            options = [str(row[f"op{letter}"]) for letter in "abcd"]
            stem, gold = str(row["question"]), _within(int(row["cop"]) - first)
        except (KeyError, TypeError, ValueError) as error:
            raise _unlike(file, number, "MedMCQA", error) from None
        prompt = lettered(f"Question: {stem}\nChoices:\n", options)
        subject = str(row.get("subject_name") or "")
        yield Question(str(row.get("id", number)), subject, prompt, LETTERS, gold)


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


def _pubmedqa(file: Path, truth: Path) -> ExamPaper:
    rows, golds = _object(file), _object(truth)
    questions: list[Question] = []
    for key, decision in golds.items():
        try:
            row = rows[key]
            contexts = [str(context) for context in row["CONTEXTS"]]
            gold = DECISIONS.index(decision)
            stem = str(row["QUESTION"])
        except (KeyError, TypeError, ValueError) as error:
            raise ExamError(
                f"{file}: the question {key} of {truth.name} is missing or has other "
                f"fields than PubMedQA's QUESTION, CONTEXTS and yes, no or maybe "
                f"({type(error).__name__}: {error})."
            ) from None
        abstract = "\n".join(contexts)
        prompt = f"Abstract: {abstract}\nQuestion: {stem}\nAnswer:"
        questions.append(Question(key, "", prompt, DECISIONS, gold))
    if not questions:
        raise ExamError(f"{truth} names no questions.")
    files = _hashes([file, truth])
    return ExamPaper("pubmedqa", TITLES["pubmedqa"], tuple(questions), 0, files)


def _mmlu(
    tests: Sequence[Path], files: Sequence[Path], folder: Path, shots: int
) -> ExamPaper:
    questions: list[Question] = []
    read: list[Path] = []
    for subject in SUBJECTS:
        own = [file for file in tests if _subject(file, "test") == subject]
        if not own:
            continue
        file = _one(own[0].name, own, folder)
        rows = list(_mmlu_rows(file))
        read.append(file)
        solved: tuple[tuple[str, str], ...] = ()
        if shots:
            dev = _one(f"{subject}_dev.csv", files, folder)
            read.append(dev)
            examples = list(_mmlu_rows(dev))[:shots]
            solved = tuple((prompt, LETTERS[gold]) for prompt, gold in examples)
        name = subject.replace("_", " ")
        about = (
            "The following are multiple choice questions (with answers) about "
            f"{name}.\n\n"
        )
        questions += [
            Question(f"{subject}-{i}", subject, prompt, LETTERS, gold, about, solved)
            for i, (prompt, gold) in enumerate(rows)
        ]
    title = TITLES["mmlu_medical"]
    return ExamPaper("mmlu_medical", title, tuple(questions), shots, _hashes(read))


def _mmlu_rows(file: Path) -> Iterator[tuple[str, int]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.reader(lines, strict=True), 1):
                if len(row) != 6 or row[5] not in LETTERS:
                    raise ExamError(
                        f"{file}, record {number}: expected a question, four choices "
                        f"and a letter A to D, found {len(row)} fields"
                        f"{f' that end with {row[-1][:20]!r}' if row else ''}. "
                        "MMLU's own files have no head."
                    )
                stem = f"{row[0].strip()}\n"
                yield lettered(stem, row[1:5]), LETTERS.index(row[5])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ExamError(f"{file} is no CSV in UTF-8: {error}.") from None


def _subject(file: Path, part: str) -> str | None:
    subject = file.name.removesuffix(f"_{part}.csv")
    return subject if subject in SUBJECTS and subject != file.name else None


def _one(name: str, files: Sequence[Path], folder: Path) -> Path:
    found = [file for file in files if file.name == name]
    if not found:
        raise ExamError(f"{folder} holds no {name}, which belongs to the exam in it.")
    if len(found) > 1:
        both = " and ".join(str(file) for file in found[:2])
        raise ExamError(f"{name} is there twice: {both}. Leave one of them there.")
    return found[0]


def _rows(file: Path) -> Iterator[tuple[int, Row]]:
    """The numbered objects of JSON lines; nothing of a file whose first is none."""
    _check_size(file)
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row: object = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if number == 1:
                        return
                    raise ExamError(
                        f"{file}, line {number} is no JSON: {error}. Is the file whole?"
                    ) from None
                if not isinstance(row, dict):
                    if number == 1:
                        return
                    raise ExamError(f"{file}, line {number} is no JSON object.")
                yield number, cast(Row, row)
    except UnicodeDecodeError as error:
        raise ExamError(f"{file} is not in UTF-8: {error}.") from None


def _object(file: Path) -> dict[str, Any]:
    _check_size(file)
    try:
        found: object = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ExamError(f"{file} is no JSON: {error}. Is the file whole?") from None
    if not isinstance(found, dict):
        raise ExamError(f"{file} is no JSON object by PMID, as PubMedQA's files are.")
    return cast("dict[str, Any]", found)


def _check_size(file: Path) -> None:
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise ExamError(
            f"{file} has {size:,} bytes, more than any published exam "
            f"(at most {MOST_BYTES:,} are read)."
        )


def _within(gold: int) -> int:
    if not 0 <= gold < len(LETTERS):
        raise ValueError(f"the right choice is number {gold}")
    return gold


def _unlike(file: Path, number: int, exam: str, error: Exception) -> ExamError:
    what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return ExamError(f"{file}, line {number} is not in the format of {exam}: {what}.")


def _hashes(files: Sequence[Path]) -> dict[str, str]:
    return {file.name: sha256_of_file(file) for file in files}
