from __future__ import annotations

import math

import numpy as np
import pytest

from medassist.exams.timings import (
    Change,
    compared,
    least_for_upper_bound,
    percentile,
    t_quantile,
)


@pytest.mark.parametrize(
    ("share", "freedom", "value"),
    [  # printed tables of Student's distribution
        (0.95, 1, 6.3138),
        (0.95, 4, 2.1318),
        (0.95, 9, 1.8331),
        (0.975, 10, 2.2281),
        (0.995, 30, 2.7500),
    ],
)
def test_students_quantile_is_that_of_the_tables(share, freedom, value):
    assert t_quantile(share, freedom) == pytest.approx(value, abs=5e-5)


def test_a_95th_percentile_is_bounded_from_59_measurements_on():
    assert least_for_upper_bound(0.95) == 59
    assert percentile(range(58), 0.95).high is None
    assert percentile(range(59), 0.95).high == 58


def test_the_median_has_its_rank_and_bounds_among_the_measurements():
    found = percentile([5, 1, 4, 2, 3], 0.5)
    assert (found.value, found.low, found.high) == (3, 1, 5)
    assert percentile([7.0], 0.5).high is None
    with pytest.raises(ValueError):
        percentile([], 0.5)


@pytest.mark.parametrize(("share", "count"), [(0.5, 20), (0.95, 100), (0.9, 60)])
def test_each_bound_of_a_percentile_fails_in_at_most_one_of_twenty_trials(share, count):
    random = np.random.default_rng(2)
    true = -math.log(1 - share)
    drawn = random.exponential(1, (1000, count)).tolist()
    found = [percentile(values, share) for values in drawn]
    assert np.mean([f.low > true for f in found if f.low is not None]) <= 0.065
    assert np.mean([f.high < true for f in found if f.high is not None]) <= 0.065


def test_speeds_are_compared_by_the_whole_interval_of_their_ratio():
    old = [100.0, 101.0, 99.0, 100.5, 99.5]
    assert compared([v * 0.8 for v in old], old).change is Change.SLOWER
    assert compared([v * 1.2 for v in old], old).change is Change.FASTER
    assert compared([v * 1.01 for v in old], old).change is Change.SAME
    noisy = [60.0, 140.0, 90.0, 120.0, 80.0]
    found = compared(noisy, old)
    assert found.change is Change.NOT_DECIDED
    assert found.low < 0.95 and found.high > 1


def test_the_interval_of_pairs_is_that_of_the_mean_log_ratio():
    old, new = [10.0, 20.0, 40.0], [11.0, 24.0, 42.0]
    logs = np.log(np.array(new) / np.array(old))
    half = 2.919986 * logs.std(ddof=1) / math.sqrt(3)  # t at 0.95 with 2 degrees
    found = compared(new, old, paired=True)
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert found.low == pytest.approx(math.exp(logs.mean() - half))
    assert found.high == pytest.approx(math.exp(logs.mean() + half))


def test_too_few_runs_decide_nothing():
    assert compared([50.0, 50.0], [100.0, 100.0]).change is Change.NOT_DECIDED
    assert compared([50.0], [100.0]).change is Change.NOT_DECIDED
    with pytest.raises(ValueError, match="above zero"):
        compared([0.0], [1.0])


def rates(change, spread, runs=5, count=1000):
    """How often each is said of speeds whose true ratio is `change`."""
    random = np.random.default_rng(4)
    said = [
        compared(
            (change * np.exp(random.normal(0, spread, runs))).tolist(),
            np.exp(random.normal(0, spread, runs)).tolist(),
            threshold=0.1,
        ).change
        for _ in range(count)
    ]
    return {one: said.count(one) / count for one in Change}


@pytest.mark.parametrize("spread", [0.02, 0.04, 0.08, 0.15])
def test_as_fast_as_before_is_called_slower_in_hardly_any_trial(spread):
    assert rates(1.0, spread)[Change.SLOWER] <= 0.015


@pytest.mark.parametrize("spread", [0.02, 0.04, 0.08, 0.15])
def test_slower_by_the_threshold_is_called_so_in_at_most_one_of_twenty(spread):
    found = rates(0.9, spread)
    assert found[Change.SLOWER] <= 0.07
    assert found[Change.SAME] <= 0.07


def test_a_drop_of_a_fifth_is_found_by_five_runs():
    assert rates(0.8, 0.04)[Change.SLOWER] >= 0.95
