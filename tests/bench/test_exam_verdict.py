from __future__ import annotations

import random

import pytest

from medassist.bench.exam_verdict import ALL, ExamVerdict, primary, sat, verdicts
from medassist.exams.statistics import Flips
from tests.bench.lines import exam, model

Q8, Q4, Q2 = model("Q8_0", 8000), model("Q4_0", 4000), model("Q2_K", 2000)


def of(verdict: ExamVerdict) -> Flips:
    """What changed, where it could be compared."""
    assert verdict.flips is not None
    return verdict.flips


def answers(count: int, wrong: float = 0.4, seed: int = 1) -> list[bool]:
    luck = random.Random(seed)
    return [luck.random() >= wrong for _ in range(count)]


def changed(before: list[bool], lost: int, won: int) -> list[bool]:
    """The same answers, but for so many that became wrong or right."""
    after = list(before)
    rights = [n for n, good in enumerate(before) if good][:lost]
    wrongs = [n for n, good in enumerate(before) if not good][:won]
    for n in (*rights, *wrongs):
        after[n] = not after[n]
    return after


def test_an_equal_file_is_no_worse_and_one_with_flips_to_one_side_is_worse():
    before = answers(2000)
    lines = [
        *exam(Q8, before),
        *exam(Q4, changed(before, 5, 5)),
        *exam(Q2, changed(before, 40, 0)),
    ]
    equal, worse = verdicts(sat(lines), margin=0.01)
    assert equal.no_worse and not equal.shown
    assert equal.said.startswith("no worse by more than 1 point")
    assert worse.shown == "worse" and not worse.no_worse
    assert worse.said.startswith("worse, by -2.7")
    assert (of(worse).right_to_wrong, of(worse).wrong_to_right) == (40, 0)


def test_two_percent_of_flips_that_cancel_out_decide_nothing_on_few_items():
    before = answers(500)
    (found,) = verdicts(sat([*exam(Q8, before), *exam(Q4, changed(before, 5, 5))]))
    assert found.no_worse is False and not found.shown
    assert "not decided: 500 items leave -1.4 to +1.4 points" in found.said
    assert "1,570 items would be needed" in found.said


def test_no_difference_is_never_called_no_worse():
    before = answers(200)
    (found,) = verdicts(sat([*exam(Q8, before), *exam(Q4, before)]))
    assert of(found).changed == 0
    assert not found.no_worse
    assert "no worse" not in found.said


def test_a_smaller_file_is_not_tested_where_a_larger_one_has_failed():
    before = answers(3000)
    lines = [
        *exam(Q8, before),
        *exam(Q4, changed(before, 60, 40)),
        *exam(Q2, changed(before, 3, 3)),
    ]
    larger, smaller = verdicts(sat(lines))
    assert larger.no_worse is False
    assert smaller.no_worse is None
    assert smaller.said.startswith("not tested: Q4_0.gguf, which is larger, could not")


def test_the_largest_file_is_the_reference_unless_one_is_named():
    before = answers(100)
    lines = [*exam(Q2, before), *exam(Q8, before), *exam(Q4, before)]
    assert {v.reference for v in verdicts(sat(lines))} == {"Q8_0.gguf"}
    named = verdicts(sat(lines), Q4.sha256)
    assert [v.row for v in named] == ["Q8_0.gguf", "Q2_K.gguf"]


def test_p_is_adjusted_for_the_number_of_files():
    before = answers(1000)
    one = verdicts(sat([*exam(Q8, before), *exam(Q4, changed(before, 12, 2))]))
    two = verdicts(
        sat(
            [
                *exam(Q8, before),
                *exam(Q4, changed(before, 12, 2)),
                *exam(Q2, changed(before, 12, 2)),
            ]
        )
    )
    assert two[0].p == pytest.approx(2 * one[0].p)


def test_questions_that_were_put_otherwise_are_not_compared():
    before = answers(60)
    lines = [*exam(Q8, before), *exam(Q4, before, tokens="other")]
    (found,) = verdicts(sat(lines))
    assert found.flips is None
    assert "60 of 60 questions of medqa_4options" in found.said


def test_a_file_that_has_not_answered_all_is_not_compared():
    before = answers(60)
    (found,) = verdicts(sat([*exam(Q8, before), *exam(Q4, before[:50])]))
    assert found.flips is None and "50 of 60" in found.said


def test_what_counts_is_all_exams_together():
    before = answers(400)
    lines = []
    for task in ("medqa_4options", "medmcqa"):
        lines += exam(Q8, before, task=task)
        lines += exam(Q4, changed(before, 3, 1), task=task)
    found = verdicts(sat(lines))
    (whole,) = primary(found)
    assert whole.task == ALL
    assert (of(whole).items, of(whole).right_to_wrong) == (800, 6)


def test_flips_of_near_ties_are_told_apart():
    before = answers(100)
    lines = [
        *exam(Q8, before, margin=0.05),
        *exam(Q4, changed(before, 4, 3), margin=2.0),
    ]
    (found,) = verdicts(sat(lines))
    assert (of(found).changed, found.clear) == (7, 0)
    lines = [*exam(Q8, before), *exam(Q4, changed(before, 4, 3))]
    assert verdicts(sat(lines))[0].clear == 7


def test_of_a_handful_of_items_nothing_is_said():
    (found,) = verdicts(sat([*exam(Q8, [True] * 9), *exam(Q4, [False] * 9)]))
    assert found.said == "too few items to say (9; at least 10)"
