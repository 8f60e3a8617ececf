"""A GGUF answers an exam as lm-eval has the same model's folder answer it.

Both in F32: what is left is the arithmetic of two programs, and near-ties are counted.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from convert.gguf.model import convert_model
from convert.unpack.unpack import unpack
from medassist.bench.events import Ended
from medassist.bench.exam import CONTEXT, hashed
from medassist.bench.exam_verdict import sat
from medassist.bench.results import ExamItem
from medassist.bench.targets import Target, target
from medassist.exams.multiple_choice import Continuation, ScoringPass
from tests.bench.measured import SMALL, measure
from tests.exams.exam_model import save_exam_model
from tests.exams.lm_eval_env import run_lm_eval
from tests.exams.papers import SUBJECTS, write_papers

pytestmark = pytest.mark.oracle
NEAR_TIE = 0.001
"""Nats between the two best, below which either program may take either."""
COUNTS = {"tiny": 24, "real": 8}
MMLU = "mmlu_medical"


@pytest.fixture(params=COUNTS)
def model(request, tmp_path) -> tuple[str, Path, Path]:
    """Which one, its folder, and its GGUF."""
    folder, gguf = tmp_path / "model", tmp_path / "model-f32.gguf"
    if request.param == "tiny":
        save_exam_model(folder)
    else:
        unpack(request.getfixturevalue("real_base"), folder)
    return request.param, folder, convert_model(folder, gguf, quantization="f32")


def ours(gguf: Target, exams: Path, folder: Path) -> dict[str, list[ExamItem]]:
    """The answers that `medassist bench` keeps, by lm-eval's names of the tasks."""
    wishes = replace(SMALL, tests=frozenset(("exams",)), exams=exams, shots=5)
    events = measure(wishes, [gguf], folder / "r.jsonl")
    ended = next(event for event in events if isinstance(event, Ended))
    (row,) = sat(ended.lines)
    found = {task: list(items.values()) for task, items in row.answers.items()}
    subjects = found.pop(MMLU)
    for subject in SUBJECTS:
        found[f"mmlu_{subject}"] = [i for i in subjects if i.group == subject]
    return found


def hash_of(pairs: list[tuple[list[int], list[int]]], context: int) -> str:
    """The mark of a question's token ids, out of lm-eval's."""
    asked: dict[tuple[int, ...], list[Continuation]] = {}
    for choice, (before, after) in enumerate(pairs):
        read = tuple((before + after)[-(context + 1) :][:-1])
        asked.setdefault(read, []).append(Continuation(choice, tuple(after)))
    return hashed([ScoringPass(0, read, tuple(own)) for read, own in asked.items()])[0]


def test_the_answers_are_lm_evals_on_the_very_same_tokens(model, tmp_path):
    name, folder, gguf = model
    count = COUNTS[name]
    exams = write_papers(tmp_path / "exams", count)
    row = target(gguf)
    own = ours(row, exams, tmp_path)
    theirs = run_lm_eval(folder, tmp_path, count, "--only-plain")["tasks"]
    assert set(own) == set(theirs)
    assert row.context is not None
    context = min(CONTEXT, row.context)
    near_ties: list[str] = []
    for task, items in own.items():
        other = theirs[task]
        for item, scores, ids in zip(items, other["scores"], other["ids"], strict=True):
            assert item.tokens == hash_of(ids, context), (task, item.id)
            best, second = sorted(scores, reverse=True)[:2]
            if min(best - second, item.margin) <= NEAR_TIE:
                near_ties.append(f"{task} {item.id}")
                continue
            assert item.choice == scores.index(best), (task, item.id)
            assert item.margin == pytest.approx(best - second, abs=0.02)
    said = f"{name}: {len(near_ties)} near-ties of {count * len(own)}: {near_ties}"
    warnings.warn(said, stacklevel=1)  # so that the run's summary counts them
    assert len(near_ties) <= 0.05 * count * len(own)
