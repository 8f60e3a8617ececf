"""Multiple choice beside lm-eval: the same model, questions and predictions."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from benchmarks.figures import Comparison
from finetune.evaluate.batches import Batches
from finetune.evaluate.examinee import HfExaminee
from finetune.evaluate.single_model import AloneModel
from medassist.exams.multiple_choice import sit
from medassist.exams.question_files import find_exams
from tests.exams.exam_model import save_exam_model
from tests.exams.lm_eval_env import run_lm_eval
from tests.exams.papers import SUBJECTS, write_papers

QUESTIONS = 200  # of each exam; MMLU has two subjects here
CONTEXT = 2048
BATCH_TOKENS = 8192
BATCHES = ("1", "16")  # lm-eval's default, and one that suits it
AIM = (">=", 3.0)


def compare(runs: int, questions: int = QUESTIONS) -> list[Comparison]:
    """Questions a second of both, on one thread, reading of the files included."""
    torch.set_num_threads(1)
    rows: list[Comparison] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = save_exam_model(folder / "model", CONTEXT)
        papers = write_papers(folder / "exams", questions)
        examinee = HfExaminee(AloneModel.load(model), Batches(BATCH_TOKENS))
        for batch in BATCHES:
            ours: dict[str, list[float]] = {}
            theirs: dict[str, list[float]] = {}
            for _ in range(runs):
                found = run_lm_eval(
                    model, folder, questions, "--batch", batch, "--only-plain"
                )["tasks"]
                for task, result in _ours(examinee, papers).items():
                    count, seconds, right = result
                    parts = _parts(task)
                    other = [x for part in parts for x in found[part]["right"]]
                    if other != right:
                        raise RuntimeError(f"{task}: lm-eval answered otherwise")
                    ours.setdefault(task, []).append(count / seconds)
                    whole = sum(found[part]["seconds"] for part in parts)
                    theirs.setdefault(task, []).append(count / whole)
            rows += [
                Comparison(
                    f"{task}, lm-eval with batches of {batch}",
                    ours[task],
                    theirs[task],
                    "1/s",
                    AIM,
                )
                for task in ours
            ]
    return rows


def _parts(task: str) -> list[str]:
    if task == "mmlu_medical":
        return [f"mmlu_{subject}" for subject in SUBJECTS]
    return [task]


def _ours(
    examinee: HfExaminee, folder: Path
) -> dict[str, tuple[int, float, list[float]]]:
    """By task: questions, seconds with a share of the reading, and what was right."""
    start = time.perf_counter()
    papers = find_exams(folder, shots=5).papers
    reading = (time.perf_counter() - start) / len(papers)
    found: dict[str, tuple[int, float, list[float]]] = {}
    for paper in papers:
        start = time.perf_counter()
        answers = dict(sit(examinee, paper.questions))
        seconds = reading + time.perf_counter() - start
        right = [
            float(answers[at].choice == question.gold)
            for at, question in enumerate(paper.questions)
        ]
        found[paper.task] = (len(right), seconds, right)
    return found
