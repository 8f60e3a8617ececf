"""Exams of our own words, in the formats in which the real ones are published.

    python -m tests.exams.papers FOLDER [--questions 300] [--pubmedqa FILE]

writes all five, `--questions` of each, with PubMedQA's own FILE where it is given.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

from medassist.exams.exam_formats import LETTERS

ORGANS = ("heart", "liver", "kidney", "lung", "skin", "eye", "ear", "spleen")
SIGNS = ("pain", "fever", "a cough", "swelling", "itching", "pallor", "dizziness")
DRUGS = ("water", "rest", "iron", "aspirin", "a dressing", "salt", "sun", "a splint")
SUBJECTS = ("anatomy", "clinical_knowledge")
DECISIONS = ("yes", "no", "maybe")


def stem(number: int) -> str:
    organ, sign = ORGANS[number % 8], SIGNS[number % 7]
    more = " It began at night and has not changed since then." * (number % 3)
    return f"A man of {20 + number} has {sign} and a weak {organ}.{more} What helps?"


def options(number: int) -> list[str]:
    return [DRUGS[(number * 3 + i) % 8] for i in range(4)]


def gold(number: int) -> int:
    return (number * 5 + number // 4) % 4


def write_papers(folder: Path, count: int = 24, of_mmlu: int | None = None) -> Path:
    """MedQA, MedMCQA, PubMedQA and two subjects of MMLU, `count` questions each.

    Args:
        folder: to write to.
        count: of questions.
        of_mmlu: of each of its subjects, where that is another number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "phrases_no_exclude_test.jsonl", map(medqa, range(count)))
    write_lines(folder / "dev.json", map(medmcqa, range(count)))
    rows = {str(900 + i): pubmedqa(i) for i in range(count + 3)}
    (folder / "ori_pqal.json").write_text(json.dumps(rows), "utf-8")
    truth = {str(900 + i): decision(i) for i in range(count)}
    (folder / "test_ground_truth.json").write_text(json.dumps(truth), "utf-8")
    for subject in SUBJECTS:
        for part, rows in (
            ("dev", mmlu_dev(subject)),
            ("test", mmlu(subject, of_mmlu or count)),
        ):
            (folder / "data" / part).mkdir(parents=True, exist_ok=True)
            file = folder / "data" / part / f"{subject}_{part}.csv"
            with file.open("w", encoding="utf-8", newline="") as out:
                for row in rows:
                    csv.writer(out).writerow([row[0], *row[1], LETTERS[row[2]]])
    return folder


def write_medxpertqa(folder: Path, count: int) -> None:
    """MedXpertQA's text questions beside the other papers."""
    (folder / "Text").mkdir(parents=True, exist_ok=True)
    write_lines(folder / "Text" / "test.jsonl", map(medxpertqa, range(count)))


def write_forms(folder: Path, count: int, own_pubmedqa: Path | None = None) -> Path:
    """All five exams with `count` questions each, MMLU's shared by its subjects."""
    write_papers(folder, count, count // len(SUBJECTS))
    write_medxpertqa(folder, count)
    if own_pubmedqa is not None:
        for name in ("ori_pqal.json", "test_ground_truth.json"):
            (folder / name).unlink()
        shutil.copyfile(own_pubmedqa, folder / own_pubmedqa.name)
    return folder


def medqa(i: int) -> dict[str, object]:
    return {
        "question": stem(i),
        "answer": options(i)[gold(i)],
        "options": dict(zip(LETTERS, options(i), strict=True)),
        "meta_info": "step1",
        "answer_idx": LETTERS[gold(i)],
        "metamap_phrases": [],
    }


def medmcqa(i: int) -> dict[str, object]:
    named = {
        f"op{letter}": text for letter, text in zip("abcd", options(i), strict=True)
    }
    return {
        "question": f"At {20 + i} with {ORGANS[i % 8]} disease, give at first:",
        **named,
        "cop": gold(i) + 1,
        "choice_type": "single",
        "exp": None,
        "subject_name": ("Medicine", "Surgery")[i % 2],
        "topic_name": None,
        "id": f"own-{i}",
    }


def medxpertqa(i: int, *, listed: bool = False) -> dict[str, object]:
    letters = "ABCDEFGHIJ"
    texts = [*DRUGS, "a dressing twice", "a splint twice"]
    marked = dict(zip(letters, texts, strict=True))
    choices = " ".join(f"({letter}) {text}" for letter, text in marked.items())
    as_list = [{"letter": k, "content": v} for k, v in marked.items()]
    label = letters[(i + 1) % len(letters)]
    return {
        "id": f"Text-{i}",
        "question": f"{stem(i)}\nAnswer Choices: {choices}",
        "options": as_list if listed else marked,
        "label": [label] if listed else label,
        "medical_task": "Treatment",
        "body_system": "Skeletal",
        "question_type": "Reasoning",
    }


def decision(i: int) -> str:
    return DECISIONS[(i * 2 + i // 5) % 3]


def pubmedqa(i: int) -> dict[str, object]:
    return {
        "QUESTION": f"Does {DRUGS[i % 8]} help against {SIGNS[i % 7]}?",
        "CONTEXTS": [
            f"We asked {30 + i} people with a disease of the {ORGANS[i % 8]}.",
            "Half of them were treated. They were seen again after a month.",
        ],
        "LABELS": ["METHODS", "RESULTS"],
        "LONG_ANSWER": "It helped some of them.",
        "final_decision": decision(i),
    }


def mmlu(subject: str, count: int) -> list[tuple[str, list[str], int]]:
    shift = 40 * SUBJECTS.index(subject)
    return [
        (f" {stem(i + shift)}", options(i + shift), gold(i + shift))
        for i in range(count)
    ]


def mmlu_line(subject: str, row: tuple[str, list[str], int]) -> dict[str, object]:
    """A question of MMLU as the Hub has it."""
    return {
        "question": row[0], "subject": subject, "choices": row[1], "answer": row[2],
    }  # fmt: skip


def mmlu_dev(subject: str) -> list[tuple[str, list[str], int]]:
    shift = 3 + SUBJECTS.index(subject)
    return [
        (f"Which is near the {ORGANS[(i + shift) % 8]}?", options(i + 1), gold(i + 2))
        for i in range(5)
    ]


def write_lines(file: Path, rows: object) -> None:
    text = "".join(json.dumps(row) + "\n" for row in list(rows))  # type: ignore[call-overload]
    file.write_text(text, "utf-8")


def main() -> None:
    """Write what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.exams.papers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--pubmedqa", type=Path)
    given = parser.parse_args()
    write_forms(given.folder, given.questions, given.pubmedqa)


if __name__ == "__main__":
    main()
