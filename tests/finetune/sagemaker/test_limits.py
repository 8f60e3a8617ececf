from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

import pytest

from finetune.sagemaker import spent as accounts
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_limits import (
    BOOT_S,
    LOST_S,
    ORDERLY_S,
    SHORTEST_S,
    STOP_S,
    UPLOAD_S,
    JobLimits,
    OverBudget,
    cost,
    dollars,
    least_budget,
    limits,
)

D = Decimal
WORLDS = 4000


def any_limits(chance: random.Random) -> JobLimits:
    price = D(chance.randint(115, 113_068)) / 1000
    instances = chance.choice([1, 1, 1, 2, 4, 16])
    spot = chance.random() < 0.6
    aside = D(chance.randint(0, 40_000)) / 10_000
    least = least_budget(
        SHORTEST_S, price, instances=instances, spot=spot, set_aside=aside
    )
    budget = least + D(chance.randint(0, 20_000)) / 100
    return limits(budget, price, instances=instances, spot=spot, set_aside=aside)


def test_the_three_limits_lie_one_inside_the_other() -> None:
    chance = random.Random(1)
    for _ in range(WORLDS):
        found = any_limits(chance)
        assert SHORTEST_S <= found.inside_s < found.runtime_s < found.hard_s
        assert found.inside_s <= found.runtime_s - ORDERLY_S
        if found.spot:
            assert found.wait_s is not None
            assert found.runtime_s < found.wait_s < found.hard_s
        else:
            assert found.wait_s is None


def test_what_is_billed_at_worst_is_never_over_the_budget() -> None:
    chance = random.Random(2)
    for _ in range(WORLDS):
        found = any_limits(chance)
        assert found.worst <= found.budget
        longest = (found.wait_s or found.runtime_s + BOOT_S) + STOP_S + UPLOAD_S
        billed = cost(longest, found.price, found.instances)
        assert billed + found.set_aside <= found.budget


@dataclass
class Life:
    """What SageMaker does to a job: what it bills, and how often it takes it away."""

    billed_s: float = 0.0
    starts: int = 0


def live(found: JobLimits, chance: random.Random) -> Life:
    """A life of a job whose container alone ends it, as badly as it may go.

    SageMaker's own limits never fire here: they may count less than is billed. Each
    start boots for up to BOOT_S, which the container does not see; an instance that is
    taken away leaves an account that is up to LOST_S old, or none of this start.
    """
    life, text = Life(), None
    while True:
        life.starts += 1
        assert life.starts < 500
        life.billed_s += up_to(chance, BOOT_S)
        account = accounts.next_start(accounts.read(text))
        text = accounts.written(account)
        rest = account.rest(found.inside_s)
        taken_after = chance.expovariate(1 / (found.inside_s * chance.choice([0.1, 1])))
        if chance.random() < 0.3:
            taken_after = rest - 1  # the worst moment: all used up, one more start
        if found.spot and 0 < taken_after < rest:
            life.billed_s += taken_after
            known = max(0.0, taken_after - up_to(chance, LOST_S))
            text = accounts.written(account.at(known))
            continue
        # It ends in order: the step that runs, the checkpoint, the adapter, the upload.
        life.billed_s += rest + up_to(chance, ORDERLY_S)
        life.billed_s += up_to(chance, STOP_S) + up_to(chance, UPLOAD_S)
        return life


def up_to(chance: random.Random, most: float) -> float:
    """A time up to `most`, which it often is."""
    return chance.choice([most, chance.uniform(0, most)])


def test_no_order_of_restarts_prices_and_limits_exceeds_the_budget() -> None:
    chance = random.Random(3)
    most_starts = 0
    for _ in range(WORLDS):
        found = any_limits(chance)
        life = live(found, chance)
        most_starts = max(most_starts, life.starts)
        assert life.billed_s <= found.hard_s
        billed = cost(life.billed_s, found.price, found.instances)
        assert billed + found.set_aside <= found.budget
    assert most_starts > 5  # it was tried on jobs that are taken away often


def test_several_jobs_of_a_run_share_one_budget() -> None:
    chance = random.Random(4)
    for _ in range(500):
        budget, before = D(chance.randint(500, 10_000)) / 100, D(0)
        for _ in range(20):
            price = D(chance.randint(115, 9_000)) / 1000
            spot = chance.random() < 0.5
            try:
                found = limits(budget, price, spot=spot, set_aside=before)
            except OverBudget:
                break
            before += cost(live(found, chance).billed_s, price)
            assert before <= budget


def test_the_budget_of_the_usual_recipe_gives_the_usual_limits() -> None:
    found = limits(D(25), D("1.515"), set_aside=D("3.23"))
    assert (found.hard_s, found.runtime_s, found.inside_s) == (51_730, 50_710, 50_110)
    assert found.worst <= 25


def test_a_budget_that_is_too_small_says_what_would_do() -> None:
    with pytest.raises(OverBudget, match=r"From \$0\.81 on it does"):
        limits(D("0.50"), D("1.515"))
    assert limits(D("0.81"), D("1.515")).inside_s >= SHORTEST_S
    with pytest.raises(OverBudget):
        limits(D("0.80"), D("1.515"))


def test_the_least_budget_for_a_time_gives_that_time_and_a_cent_less_does_not() -> None:
    chance = random.Random(5)
    for _ in range(500):
        seconds = chance.randint(SHORTEST_S, 200_000)
        price, spot = D(chance.randint(115, 9_000)) / 1000, chance.random() < 0.5
        least = least_budget(seconds, price, spot=spot)
        assert limits(least, price, spot=spot).inside_s >= seconds
        if least > D("0.30"):
            assert limits_or_none(least - D("0.01"), price, spot) < seconds


def limits_or_none(budget: Decimal, price: Decimal, spot: bool) -> int:
    try:
        return limits(budget, price, spot=spot).inside_s
    except OverBudget:
        return -1


def test_no_job_is_asked_for_that_sagemaker_would_not_run_so_long() -> None:
    assert limits(D(10_000), D("0.115")).runtime_s == 28 * 24 * 3600


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_a_price_that_is_none_limits_nothing_and_is_refused(price: str) -> None:
    with pytest.raises(SageMakerError):
        limits(D(25), D(price))


@pytest.mark.parametrize("text", ["", "many", "0", "-5", "nan", "inf", "1e99", "0.001"])
def test_what_is_no_amount_of_dollars_is_refused(text: str) -> None:
    with pytest.raises(SageMakerError, match="no amount of dollars"):
        dollars(text)


def test_dollars_are_whole_cents_rounded_down() -> None:
    assert dollars("$4.999") == D("4.99")
