"""A GGUF answers an exam as lm-eval has the same model's folder answer it.

Both in F32, as plain text and by the model's chat template: what is left is the
arithmetic of two programs, and near-ties are counted.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from convert.gguf.model import convert_model
from convert.unpack.unpack import unpack
from medassist.bench.events import Ended
from medassist.bench.exam import CONTEXT, hashed
from medassist.bench.exam_results import as_lm_eval
from medassist.bench.exam_verdict import Sat, sat
from medassist.bench.results import ExamItem
from medassist.bench.targets import target
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


@dataclass(frozen=True)
class Asked:
    """What both were asked and answered."""

    name: str
    gguf: Path
    exams: Path
    theirs: dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=COUNTS)
def both(request, tmp_path_factory) -> Asked:
    """A model's folder as lm-eval has it answer, and its GGUF."""
    place = tmp_path_factory.mktemp(request.param)
    folder, gguf = place / "model", place / "model-f32.gguf"
    if request.param == "tiny":
        save_exam_model(folder)
    else:
        unpack(request.getfixturevalue("real_base"), folder)
    count = COUNTS[request.param]
    return Asked(
        request.param,
        convert_model(folder, gguf, quantization="f32"),
        write_papers(place / "exams", count),
        run_lm_eval(folder, place, count)["tasks"],
    )


def by_task(rows: Sequence[Sat]) -> dict[str, list[ExamItem]]:
    """The answers of the only row, by lm-eval's names of the tasks."""
    (row,) = rows
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


@pytest.mark.parametrize("chat", [False, True], ids=["plain", "chat"])
def test_the_answers_are_lm_evals_on_the_very_same_tokens(both: Asked, tmp_path, chat):
    wishes = replace(
        SMALL,
        tests=frozenset(("exams",)),
        exams=both.exams,
        shots=5,
        exam_chat=chat,
    )
    row = target(both.gguf)
    events = measure(wishes, [row], tmp_path / "r.jsonl")
    ended = next(event for event in events if isinstance(event, Ended))
    own = by_task(sat(ended.lines))
    form = json.loads(as_lm_eval(ended.lines))
    assert form["apply_chat_template"] is chat
    assert row.context is not None
    context = min(CONTEXT, row.context)
    ending = " chat" if chat else ""
    assert {f"{task}{ending}" for task in own} == {
        task for task in both.theirs if task.endswith(" chat") is chat
    }
    near_ties: list[str] = []
    for task, items in own.items():
        other = both.theirs[f"{task}{ending}"]
        ties = len(near_ties)
        for item, scores, ids in zip(items, other["scores"], other["ids"], strict=True):
            assert item.tokens == hash_of(ids, context), (task, item.id)
            best, second = sorted(scores, reverse=True)[:2]
            if min(best - second, item.margin) <= NEAR_TIE:
                near_ties.append(f"{task} {item.id}")
                continue
            assert item.choice == scores.index(best), (task, item.id)
            assert item.margin == pytest.approx(best - second, abs=0.02)
        figures = form["results"][task]
        assert {f"{name},none" for name in other["figures"]} <= set(figures)
        moved = (len(near_ties) - ties) / len(items)
        assert figures["acc,none"] == pytest.approx(
            other["figures"]["acc"], abs=moved + 1e-9
        )
    said = f"{both.name}: {len(near_ties)} near-ties of {sum(map(len, own.values()))}"
    warnings.warn(f"{said}: {near_ties}", stacklevel=1)  # the run's summary counts them
    assert len(near_ties) <= 0.05 * sum(map(len, own.values()))
