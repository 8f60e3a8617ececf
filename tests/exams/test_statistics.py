from __future__ import annotations

import math

import numpy as np
import pytest

from medassist.exams.sign_test import sign_p
from medassist.exams.statistics import (
    LEAST_GROUPS,
    Flips,
    Outcome,
    flips,
    holm,
    mcnemar,
    outcome,
    paired_answers,
    paired_difference,
    score_interval,
    standard_error,
    verdict,
)


def test_figures_are_sums_by_weights_and_their_difference() -> None:
    found = paired_difference([2, 4, 6], [1, 4, 4], weights=[1, 2, 3])
    assert (found.base, found.tuned) == (2.0, 1.5)
    assert found.difference == -0.5
    assert (found.items, found.groups, found.draws) == (3, 3, 10_000)


def test_the_interval_is_that_of_all_samples_where_they_can_be_counted() -> None:
    # Two items with differences 0 and 1: the mean is 0, 1/2 or 1 in a quarter, a half
    # and a quarter of all samples.
    found = paired_difference([0, 0], [0, 1], level=0.4)
    assert (found.low, found.high) == (0.5, 0.5)
    wide = paired_difference([0, 0], [0, 1], level=0.6)
    assert (wide.low, wide.high) == (0.0, 1.0)


def test_the_interval_has_the_width_of_theory_on_many_items() -> None:
    random = np.random.default_rng(3)
    base, tuned = random.normal(0, 1, 2000), random.normal(0.1, 1, 2000)
    found = paired_difference(base, tuned)
    half = 1.959964 * float((tuned - base).std(ddof=1)) / math.sqrt(2000)
    assert found.high - found.difference == pytest.approx(half, rel=0.05)
    assert found.difference - found.low == pytest.approx(half, rel=0.05)


def test_the_same_seed_draws_the_same_interval_and_another_seed_another() -> None:
    base, tuned = list(range(50)), [(i * 7) % 50 for i in range(50)]
    first = paired_difference(base, tuned, seed=1)
    assert paired_difference(base, tuned, seed=1) == first
    other = paired_difference(base, tuned, seed=2)
    assert (other.low, other.high) != (first.low, first.high)


def test_items_of_one_document_are_no_independent_witnesses() -> None:
    random = np.random.default_rng(0)
    shift = np.repeat(random.normal(0, 1, 20), 30)  # alike within each document
    documents = [i // 30 for i in range(600)]
    alone = paired_difference(np.zeros(600), shift)
    together = paired_difference(np.zeros(600), shift, groups=documents)
    assert together.groups == 20
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_a_claim_is_made_only_where_the_interval_excludes_zero() -> None:
    better = paired_difference([0.0] * 30, [0.9, 1.1] * 15)
    assert verdict(better, higher_is_better=True) == "better"
    assert verdict(better, higher_is_better=False) == "worse"
    equal = paired_difference([0.0] * 1200, [1.0, -1.0] * 600)
    said = verdict(equal, higher_is_better=True)
    assert said == "no difference shown (n = 1,200)"
    same = paired_difference([1.0] * 40, [1.0] * 40)
    assert verdict(same, higher_is_better=True).startswith("no difference")


def test_of_a_handful_of_items_nothing_is_said_however_alike_they_are() -> None:
    few = paired_difference([0.0] * (LEAST_GROUPS - 1), [1.0] * (LEAST_GROUPS - 1))
    assert few.low == few.high == 1.0
    said = "too few items to say (9; at least 10)"
    assert verdict(few, higher_is_better=True) == said
    enough = paired_difference([0.0] * LEAST_GROUPS, [1.0] * LEAST_GROUPS)
    assert verdict(enough, higher_is_better=True) == "better"


def test_many_items_of_a_few_documents_are_too_few_documents() -> None:
    groups = [n % 3 for n in range(60)]
    found = paired_difference([0.0] * 60, [1.0] * 60, groups=groups)
    said = "too few documents to say (3; at least 10)"
    assert verdict(found, higher_is_better=True) == said


def test_no_verdict_contradicts_the_interval_beside_it() -> None:
    for low, high in ((-1.0, -0.5), (-0.5, 0.5), (0.5, 1.0), (0.0, 1.0), (-1.0, 0.0)):
        for groups in (1, LEAST_GROUPS - 1, LEAST_GROUPS, 1000):
            found = outcome(low, high, groups, higher_is_better=True)
            excludes = low > 0 or high < 0
            assert (found is Outcome.TOO_FEW) == (groups < LEAST_GROUPS)
            if found is Outcome.NOT_SHOWN:
                assert not excludes
            if found in (Outcome.BETTER, Outcome.WORSE):
                assert excludes


def test_a_difference_of_nothing_or_of_unequal_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        paired_difference([], [])
    with pytest.raises(ValueError, match="2 items against 1"):
        paired_difference([1, 2], [1])


def test_flips_are_counted_in_both_directions() -> None:
    found = flips([True, True, False, False, True], [True, False, True, False, False])
    assert found == Flips(
        right_to_wrong=2, wrong_to_right=1, both_right=1, both_wrong=1
    )


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),  # 2 / 2**5
        (8, 2, 0.109375),  # 2 (1 + 10 + 45) / 2**10
        (5, 5, 1.0),
        (700, 500, 8.535366081034316e-09),  # scipy.stats.binomtest
    ],
)
def test_mcnemar_is_a_fair_coin_on_the_flips(wins, losses, p) -> None:
    assert sign_p(wins, losses) == pytest.approx(p, rel=1e-12)
    assert mcnemar(Flips(losses, wins, 3, 4)) == sign_p(wins, losses)


def test_thousands_of_flips_are_no_overflow() -> None:
    assert sign_p(3000, 3000) == 1.0
    assert 0 <= sign_p(5000, 1000) < 1e-300


def test_holm_multiplies_by_the_tests_that_are_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_standard_error_is_that_of_a_sample() -> None:
    # Variance of 1, 0, 0, 1 is 1/3 in a sample; by 4 and rooted.
    assert standard_error([1, 0, 0, 1]) == pytest.approx(math.sqrt(1 / 12))
    assert standard_error([1]) is None


def flipped(lost: int, won: int, items: int) -> Flips:
    """Changed answers of so many questions; the others are right in both."""
    return Flips(lost, won, items - lost - won, 0)


@pytest.mark.parametrize(
    ("lost", "won", "items", "low", "high"),
    [
        # Bentur 2009 as in Fagerland, Lydersen and Laake 2014: -0.517 to -0.026.
        (7, 1, 21, -0.5172, -0.0260),
        (20, 14, 1273, -0.0144, 0.0045),
        (75, 60, 4183, -0.0091, 0.0019),
    ],
)
def test_the_score_interval_is_the_published_one(lost, won, items, low, high) -> None:
    found = score_interval(flipped(lost, won, items))
    assert found == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize("items", [1, 50, 1273])
def test_no_changed_answer_is_no_certainty(items) -> None:
    z = 1.959964
    low, high = score_interval(flipped(0, 0, items))
    assert high == pytest.approx(z**2 / (items + z**2), rel=1e-5)
    assert low == pytest.approx(-high)
    drawn = paired_difference([1.0] * items, [1.0] * items)
    assert (drawn.low, drawn.high) == (0, 0)  # what the bootstrap would have said


def test_the_score_interval_turns_round_with_the_models() -> None:
    low, high = score_interval(flipped(20, 14, 500))
    assert score_interval(flipped(14, 20, 500)) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("lost", "won"), [(10, 0), (0, 10), (10, 10), (0, 1)])
def test_the_score_interval_holds_what_was_found_and_stays_a_share(lost, won) -> None:
    for items in (lost + won, 2 * (lost + won), 400):
        found = flipped(lost, won, items)
        low, high = score_interval(found)
        assert -1 <= low <= found.difference <= high <= 1
        assert low < high


@pytest.mark.parametrize(
    ("items", "lost", "won"),
    [(300, 0.03, 0.03), (300, 0.05, 0.02), (1273, 0.02, 0.02), (100, 0.08, 0.08)],
)
def test_the_score_interval_holds_the_truth_in_95_of_100_trials(
    items, lost, won
) -> None:
    random = np.random.default_rng(5)
    held: dict[tuple[int, int], bool] = {}
    trials = random.multinomial(items, (lost, won, 1 - lost - won), 20_000)
    hits = 0
    for b, c in trials[:, :2].tolist():
        if (b, c) not in held:
            low, high = score_interval(flipped(b, c, items))
            held[b, c] = low <= won - lost <= high
        hits += held[b, c]
    assert 0.94 <= hits / len(trials) <= 0.965


def test_right_and_wrong_answers_are_compared_without_drawing() -> None:
    base = [True] * 60 + [False] * 40
    tuned = [True] * 50 + [False] * 10 + [True] * 6 + [False] * 34
    found = paired_answers(base, tuned)
    assert (found.base, found.tuned) == (0.6, 0.56)
    assert found.difference == pytest.approx(-0.04)
    assert (found.low, found.high) == score_interval(Flips(10, 6, 50, 34))
    assert (found.items, found.groups, found.method, found.draws) == (
        100, 100, "score", 0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="nothing"):
        paired_answers([], [])


def test_flips_of_several_exams_are_added() -> None:
    both = Flips(1, 2, 3, 4) + Flips(10, 20, 30, 40)
    assert both == Flips(11, 22, 33, 44)
    assert (both.items, both.changed) == (110, 33)
    assert both.difference == pytest.approx(0.1)
