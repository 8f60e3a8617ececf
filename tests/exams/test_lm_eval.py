"""Our multiple choice gives lm-eval's numbers: kept ones, and fresh ones as an oracle.

    MEDASSIST_WRITE_FIXTURES=1 make oracles ARGS=tests/exams/test_lm_eval.py

runs lm-eval in an environment of its own and keeps what it found in
fixtures/lm_eval.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from finetune.data.prepared_records import RecordMessage
from finetune.evaluate.batches import Batches
from finetune.evaluate.examinee import HfExaminee
from finetune.evaluate.single_model import AloneModel
from finetune.train.chat_format import render
from medassist.exams.multiple_choice import result, sit
from medassist.exams.question_files import find_exams
from tests.exams.exam_model import save_exam_model
from tests.exams.lm_eval_env import run_lm_eval
from tests.exams.papers import SUBJECTS, write_papers

COUNT = 24
KEPT = Path(__file__).with_name("fixtures") / "lm_eval.json"
TASKS = ("medqa_4options", "medmcqa", "pubmedqa", *(f"mmlu_{s}" for s in SUBJECTS))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_exam_model(tmp_path_factory.mktemp("exam-model") / "model")


@pytest.fixture(scope="module")
def ours(model, tmp_path_factory) -> dict[str, tuple]:
    """Our answers and figures by task, with and without the chat template."""
    torch.set_num_threads(1)
    folder = write_papers(tmp_path_factory.mktemp("papers"), COUNT)
    alone = AloneModel.load(model)
    examinee = HfExaminee(alone, Batches(4096))

    def chat(turns) -> str:
        messages = [
            RecordMessage.model_validate({"role": t.role, "content": t.content})
            for t in turns
        ]
        return render(alone.tokenizer, messages, answer=True)

    found: dict[str, tuple] = {}
    for paper in find_exams(folder, shots=5).papers:
        for suffix, template in (("", None), (" chat", chat)):
            answers = dict(sit(examinee, paper.questions, chat=template))
            parts = {paper.task: range(len(paper.questions))}
            if paper.task == "mmlu_medical":
                parts = {
                    f"mmlu_{subject}": [
                        at for at, q in enumerate(paper.questions) if q.group == subject
                    ]
                    for subject in SUBJECTS
                }
            for task, places in parts.items():
                own = [answers[at] for at in places]
                golds = [paper.questions[at].gold for at in places]
                figures = result(golds, own)
                found[task + suffix] = (own, golds, figures)
    return found


def check(ours: dict[str, tuple], theirs: dict) -> None:
    assert set(ours) == set(theirs)
    for task, (answers, golds, figures) in ours.items():
        other = theirs[task]
        for answer, scores in zip(answers, other["scores"], strict=True):
            assert answer.scores == pytest.approx(scores, abs=2e-5), task
            assert answer.choice == max(range(len(scores)), key=scores.__getitem__)
        right = [float(a.choice == g) for a, g in zip(answers, golds, strict=True)]
        assert right == other["right"], task
        said = other["figures"]
        assert figures.acc == said["acc"], task
        assert figures.acc_stderr == pytest.approx(said["acc_stderr"], rel=1e-12)
        if "acc_norm" in said:
            assert figures.acc_norm == said["acc_norm"], task
            assert figures.acc_norm_stderr == pytest.approx(
                said["acc_norm_stderr"], rel=1e-12
            )


@pytest.mark.parametrize("suffix", ["", " chat"])
def test_predictions_and_figures_are_those_that_lm_eval_gave(ours, suffix) -> None:
    theirs = json.loads(KEPT.read_text("utf-8"))["tasks"]
    names = [f"{task}{suffix}" for task in TASKS]
    check({n: ours[n] for n in names}, {n: theirs[n] for n in names})


@pytest.mark.oracle
def test_lm_eval_gives_the_same_today(model, ours, tmp_path) -> None:
    theirs = run_lm_eval(model, tmp_path, COUNT)
    check(ours, theirs["tasks"])
    if os.environ.get("MEDASSIST_WRITE_FIXTURES"):
        for found in theirs["tasks"].values():
            del found["seconds"], found["ids"]
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(theirs, indent=1) + "\n", "utf-8")
