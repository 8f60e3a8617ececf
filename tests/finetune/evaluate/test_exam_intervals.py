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


def exam(answers: list[tuple[int, int]], golds: list[int] | None = None) -> Exam:
    """Answers of base and tuned, by how far they lie behind the right choice.

    The right choices go round; with `golds` the answers are choices.
    """
    whole = golds or [n % 4 for n in range(len(answers))]
    if golds is None:
        answers = [
            ((base + gold) % 4, (tuned + gold) % 4)
            for (base, tuned), gold in zip(answers, whole, strict=True)
        ]
    items = tuple(
        PairedExamItem(
            id=str(n),
            gold=gold,
            base=base,
            tuned=tuned,
            base_norm=base,
            tuned_norm=tuned,
            base_scores=(-1.0, -2.0),
            tuned_scores=(-1.0, -2.0),
        )
        for n, ((base, tuned), gold) in enumerate(zip(answers, whole, strict=True))
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


def test_more_right_answers_by_a_leaning_alone_are_not_called_better():
    # A base that gives the commonest answer half of the time gains by giving it always.
    golds = [0] * 240 + [1] * 160
    base = [(gold if n % 2 else 2) for n, gold in enumerate(golds)]
    tuned = [gold if gold == 1 and n % 2 else 0 for n, gold in enumerate(golds)]
    leaning = [0] * 400
    (found, _) = compare_exams([exam(list(zip(base, leaning, strict=True)), golds)])
    assert found.verdict == found.said == "cannot tell"
    assert (found.base, found.tuned, found.fixed) == (0.5, 0.6, 0.6)
    assert (found.base_knows, found.tuned_knows) == (False, False)
    (told, _) = compare_exams([exam(list(zip(base, tuned, strict=True)), golds)])
    assert told.tuned_knows and told.verdict == "better"


def test_a_figure_of_before_stays_as_it_was_said():
    (found, _) = compare_exams([exam([(1, 0)] * 40 + [(0, 1)] * 4, [0] * 44)])
    old = found.model_copy(update={"base_knows": None, "tuned_knows": None})
    assert found.said == "cannot tell" and old.said == "better"
