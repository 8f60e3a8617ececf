from __future__ import annotations

import numpy as np
import pytest

from medassist.exams.margins import (
    equal_within,
    in_sequence,
    items_needed,
    margin_shown,
    no_worse,
)
from medassist.exams.statistics import Flips, holm, mcnemar


def test_no_worse_is_claimed_only_where_the_whole_interval_is_above_the_margin():
    # 1,273 questions, 20 lost and 14 won: down to -1.44 points.
    found = Flips(20, 14, 700, 539)
    assert no_worse(found, 0.015)
    assert not no_worse(found, 0.014)


def test_of_a_few_questions_nothing_is_no_worse_however_equal_they_are():
    assert not no_worse(Flips(0, 0, 100, 0), 0.01)
    assert no_worse(Flips(0, 0, 1000, 0), 0.01)


def test_equal_needs_both_sides_within_the_margin():
    better = Flips(5, 40, 900, 55)
    assert no_worse(better, 0.01)
    assert not equal_within(better, 0.01)
    assert equal_within(Flips(10, 10, 4000, 1000), 0.01)


def test_a_sequence_ends_at_the_first_that_is_not_shown():
    assert in_sequence([True, True, False, True]) == [True, True, False, None]
    assert in_sequence([]) == []


@pytest.mark.parametrize(
    ("changed", "margin", "items"),
    [
        (0.01, 0.005, 3140),
        (0.02, 0.01, 1570),
        (0.04, 0.01, 3140),
        (0.06, 0.015, 2094),
        (0.10, 0.03, 873),
    ],
)
def test_the_number_of_questions_is_that_of_the_normal_approximation(
    changed, margin, items
):
    assert items_needed(changed, margin) == items


def test_a_true_loss_takes_more_questions_and_one_beyond_the_margin_any_number():
    assert items_needed(0.04, 0.01, truth=-0.003) == 6407
    assert items_needed(0.04, 0.01, truth=-0.01) is None


def test_1273_questions_can_show_1_1_points():
    assert margin_shown(1273, 0.04) == pytest.approx(0.011, abs=1e-4)


def trials(items, lost, won, count, seed=9):
    random = np.random.default_rng(seed)
    drawn = random.multinomial(items, (lost, won, 1 - lost - won), count)
    return [Flips(b, c, items - b - c, 0) for b, c in drawn[:, :2].tolist()]


def test_a_model_that_is_worse_by_the_margin_passes_in_one_of_forty_trials():
    # The truth lies on the margin: each pass is a false one.
    passed = [no_worse(found, 0.01) for found in trials(2000, 0.03, 0.02, 4000)]
    assert 0.015 <= np.mean(passed) <= 0.035


def test_as_many_questions_as_were_computed_show_it_in_four_of_five_trials():
    items = items_needed(0.04, 0.01)
    assert items is not None
    passed = [no_worse(found, 0.01) for found in trials(items, 0.02, 0.02, 2000)]
    assert 0.77 <= np.mean(passed) <= 0.83


def test_three_models_in_sequence_err_no_more_often_than_one():
    # The second and the third are worse by the margin.
    wrong = 0
    draws = [trials(1500, *share, 2000, seed) for seed, share in enumerate(
        [(0.01, 0.01), (0.025, 0.015), (0.03, 0.02)]
    )]  # fmt: skip
    for first, second, third in zip(*draws, strict=True):
        shown = in_sequence([no_worse(f, 0.01) for f in (first, second, third)])
        wrong += any(shown[1:])
    assert wrong / 2000 <= 0.035


def test_of_three_equal_models_one_is_called_different_in_one_of_twenty_trials():
    draws = [trials(1000, 0.03, 0.03, 2000, seed) for seed in (1, 2, 3)]
    wrong = [
        min(holm([mcnemar(found) for found in three])) < 0.05
        for three in zip(*draws, strict=True)
    ]
    assert np.mean(wrong) <= 0.055
