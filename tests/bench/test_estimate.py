"""The time that is told before it begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medassist.bench.estimate import estimate
from medassist.bench.results import ROUND
from medassist.bench.targets import target
from medassist.bench.work import Step
from medassist.exams.chunks import CONTEXT
from medassist.exams.question_files import find_exams
from tests.bench.measured import SMALL

READ = 100.0


def of_quality(files, *models) -> float:
    reference = target(files.base)
    wishes = replace(SMALL, reference=reference, chunks=10)
    steps = [
        Step("quality", target(model), {"chunks": 10, "n_ctx": CONTEXT})
        for model in models
    ]
    return estimate(steps, (READ, 10.0), reference.facts.bytes, [], wishes)


def test_the_reference_reads_once_whether_it_is_a_row_or_not(files):
    once = 10 * CONTEXT / READ
    assert of_quality(files, files.base) == pytest.approx(once)
    beside = of_quality(files, files.merged)
    # It reads with the first one that is measured; a second one costs its own alone.
    assert beside == pytest.approx(2 * once, rel=0.1)
    assert of_quality(files, files.merged, files.swapped) == pytest.approx(
        3 * once, rel=0.1
    )
    assert of_quality(files, files.base, files.merged) == pytest.approx(beside)


def test_solved_questions_are_read_once_and_not_before_every_question(files):
    row = target(files.base)
    papers = find_exams(files.exams, shots=5).papers
    step = Step("exam", row, {"task": "mmlu_medical", ROUND: "0-9"})
    seconds = estimate([step], (READ, 10.0), row.facts.bytes, papers, SMALL)
    asked = next(p for p in papers if p.task == "mmlu_medical").questions[:10]
    letters = sum(len(question.prompt) for question in asked)
    assert seconds == pytest.approx(letters / 4 / READ)
    assert letters < sum(len(question.text) for question in asked) / 3
