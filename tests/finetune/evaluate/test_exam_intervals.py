"""Exams are compared by the score interval, which no equal answers make a certainty."""

from __future__ import annotations

from finetune.evaluate.evaluation_statistics import compare_exams
from finetune.evaluate.result import (
    DifferenceInterval,
    Exam,
    ExamFigures,
    PairedExamItem,
)
from medassist.exams.statistics import Flips, score_interval


def exam(answers: list[tuple[int, int]]) -> Exam:
    """Answers of base and tuned; the choice 0 is right."""
    items = tuple(
        PairedExamItem(
            id=str(n),
            gold=0,
            base=base,
            tuned=tuned,
            base_norm=base,
            tuned_norm=tuned,
            base_scores=(-1.0, -2.0),
            tuned_scores=(-1.0, -2.0),
        )
        for n, (base, tuned) in enumerate(answers)
    )
    figures = ExamFigures(acc=0, acc_stderr=0, acc_norm=0, acc_norm_stderr=0)
    return Exam(
        task="pubmedqa",
        title="PubMedQA",
        n=len(items),
        files={},
        base=figures,
        tuned=figures,
        items=items,
    )


def test_equal_answers_leave_the_difference_as_open_as_their_number_does():
    found = compare_exams([exam([(0, 0)] * 30 + [(1, 1)] * 20)])[0]
    assert (found.interval.low, found.interval.high) == score_interval(
        Flips(0, 0, 30, 20)
    )
    assert found.interval.high > 0.05
    assert found.verdict == "no difference shown (n = 50)"
    assert found.interval.method == "score"


def test_many_answers_that_became_right_are_better():
    found = compare_exams([exam([(1, 0)] * 20 + [(0, 0)] * 40)])[0]
    assert found.verdict == "better"
    assert found.interval.low > 0.2


def test_an_interval_of_before_is_read_as_the_bootstraps():
    old = {"low": -0.1, "high": 0.1, "level": 0.95, "draws": 10_000, "seed": 0}
    assert DifferenceInterval.model_validate(old).method == "bootstrap"
