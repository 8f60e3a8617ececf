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
    for first, second in ((True, False), (False, True)):
        lines = [*exam(Q8, [first] * 9), *exam(Q4, [second] * 9)]
        (found,) = verdicts(sat(lines))
        assert found.said == "too few items to say (9; at least 10)"
        assert not found.shown and not found.no_worse


def one_letter(count: int = 500) -> list[bool]:
    """Which answers of a model are right that says the first of four choices always."""
    return [n % 4 == 0 for n in range(count)]


def test_where_the_reference_knows_no_more_than_one_letter_nothing_is_said():
    same = one_letter()
    lines = [*exam(Q8, same), *exam(Q4, same), *exam(Q2, changed(same, 60, 0))]
    for found in verdicts(sat(lines)):
        assert found.cannot_tell
        assert not found.shown and found.no_worse is None
        assert found.said == (
            "cannot tell: the reference is not shown to know more than one fixed "
            "answer (25.0 % right, against 25.0 %)"
        )


def test_a_file_that_only_leans_more_to_the_commonest_answer_is_not_called_better():
    # Where "yes" is right in most, a file gains right answers by saying it more often.
    before = [n % 2 == 0 for n in range(500)]
    more = [good or n % 5 == 1 for n, good in enumerate(before)]
    lines = [*exam(Q8, before, choices=1), *exam(Q4, more, choices=1)]
    (found,) = verdicts(sat(lines))
    assert of(found).difference > 0.05 and found.p < 0.001
    assert found.cannot_tell and not found.shown


def test_a_model_that_itself_knows_more_is_better_than_one_that_knows_nothing():
    nothing = one_letter(400)
    learnt = [n % 4 == 0 or n % 3 == 0 for n in range(400)]
    lines = [*exam(Q8, nothing), *exam(Q4, learnt), *exam(Q2, nothing)]
    better, other = verdicts(sat(lines))
    assert better.shown == "better" and better.said.startswith("better, by +2")
    assert other.cannot_tell


def test_of_all_exams_only_those_count_that_can_tell():
    before, same = answers(400), one_letter(1200)
    lines = []
    for of_file, known in ((Q8, before), (Q4, changed(before, 12, 2))):
        lines += exam(of_file, known, task="medqa_4options")
        lines += exam(of_file, same, task="medmcqa")
    found = verdicts(sat(lines))
    (whole,) = primary(found)
    assert whole.left_out == ("medmcqa",)
    assert of(whole).items == 400
    assert [one.cannot_tell for one in found] == [False, True, False]


def test_where_no_exam_can_tell_none_is_said_of_all_together():
    lines = []
    for task in ("medqa_4options", "medmcqa"):
        lines += exam(Q8, one_letter(), task=task)
        lines += exam(Q4, changed(one_letter(), 60, 60), task=task)
    (whole,) = primary(verdicts(sat(lines)))
    assert whole.cannot_tell and not whole.left_out
    assert whole.said.endswith("know more of any exam than one fixed answer")


def test_what_files_that_guess_are_called_better_or_worse_by_is_luck_alone():
    # Files that lean to letters in whatever way, on exams of which one answer is right
    # more often than the others: hardly ever is anything said of them.
    luck = random.Random(5)
    golds = {
        task: luck.choices(range(3), (0.55, 0.34, 0.11), k=150)
        for task in ("pubmedqa", "medmcqa", "medqa_4options")
    }
    said = 0
    for _ in range(60):
        lines = []
        for of_file in (Q8, Q4, Q2):
            lean = [luck.random() for _ in range(3)]
            for task, own in golds.items():
                choices = luck.choices(range(3), lean, k=len(own))
                right = [a == b for a, b in zip(choices, own, strict=True)]
                lines += exam(of_file, right, task=task, golds=own, chosen=choices)
        said += any(v.shown or v.no_worse for v in verdicts(sat(lines)))
    assert said <= 6
