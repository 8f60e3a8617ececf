"""Dollars into seconds: the limits that keep a training under its budget.

Three of them, one inside the other. In the container the training ends by itself, in
order and with an adapter, after `inside_s`. SageMaker stops what does not after
`runtime_s` (MaxRuntimeInSeconds). On spot instances it gives up after `wait_s` in all,
waiting and restarts included (MaxWaitTimeInSeconds). What SageMaker bills beside them
is set aside: loading the image and the data (BOOT_S; whether MaxRuntime counts it is
not documented), its grace after a stop (STOP_S) and the upload (UPLOAD_S).

All of it is computed in whole seconds, rounded down, and exactly: no floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from fractions import Fraction
from math import floor

from finetune.sagemaker.errors import SageMakerError
from medassist.core.words import duration

BOOT_S = 600
STOP_S = 120
UPLOAD_S = 300
ORDERLY_S = 600
"""So far before SageMaker's limit lies the container's: for checkpoint and adapter."""
LOST_S = 90
"""Seconds that a container which is killed has not written down: 30 between two
writes, and 60 until the file is in S3."""
LATE_S = 900
"""So much later than its time an endpoint may go: the minute of its schedule, and the
next try of a deletion that was refused while it came up."""
SHORTEST_S = 300
"""A training that may last less is not worth its start."""
LONGEST_RUNTIME_S = 28 * 24 * 3600
HOUR = 3600
MOST_DOLLARS = 1_000_000


class OverBudget(SageMakerError):
    """The budget does not suffice; the message says what would."""


@dataclass(frozen=True)
class JobLimits:
    """Time limits of a job, and its cost at worst."""

    budget: Decimal
    """Dollars for everything."""
    set_aside: Decimal
    """Dollars of it for what is not this job: an endpoint, storage, jobs before it."""
    price: Decimal
    """Dollars an hour of one instance, on demand: the bound for spot as well."""
    instances: int
    spot: bool
    hard_s: int
    """So many billed seconds are paid for."""
    wait_s: int | None
    """MaxWaitTimeInSeconds, of spot alone."""
    runtime_s: int
    """MaxRuntimeInSeconds."""
    inside_s: int
    """The container's own; over all its starts together."""

    @property
    def worst(self) -> Decimal:
        """Largest possible cost in dollars; never over `budget`."""
        job = cost(self.hard_s, self.price, self.instances)
        return job + self.set_aside

    @property
    def told(self) -> str:
        """The limits in one line."""
        spot = f" < {duration(self.wait_s)} with waiting" if self.wait_s else ""
        return (
            f"ends by itself after {duration(self.inside_s)} < stopped after "
            f"{duration(self.runtime_s)}{spot}; ${self.worst:.2f} at worst"
        )


def dollars(text: str) -> Decimal:
    """An amount of dollars as it is typed: 25, 4.50, $25.

    Raises:
        SageMakerError: it is none.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
        cents = amount.quantize(Decimal("0.01"), ROUND_DOWN)
    except InvalidOperation:
        cents = Decimal(0)
    if not cents.is_finite() or not 0 < cents <= MOST_DOLLARS:
        raise SageMakerError(
            f"{text!r:.50} is no amount of dollars for a training, such as 25 or 4.50"
        )
    return cents


def cost(seconds: float | Fraction, price: Decimal, instances: int = 1) -> Decimal:
    """Dollars of `seconds`, rounded up to a hundredth of a cent."""
    exact = Fraction(seconds) * Fraction(price) * instances / HOUR
    return Decimal(-floor(-exact * 10_000)) / 10_000


def limits(
    budget: Decimal,
    price: Decimal,
    *,
    instances: int = 1,
    spot: bool = False,
    set_aside: Decimal = Decimal(0),
) -> JobLimits:
    """The limits of a job under `budget`.

    Args:
        budget: dollars for everything.
        price: dollars an hour of one instance.
        instances: how many of them.
        spot: whether they can be taken away and come back.
        set_aside: dollars of the budget that the job cannot have.

    Raises:
        OverBudget: too little is left for a training; the message says what would do.
        SageMakerError: a figure is not one of money.
    """
    _check(budget, price, instances, set_aside)
    left = Fraction(budget) - Fraction(set_aside)
    hard = floor(left * HOUR / (Fraction(price) * instances))
    # Days over what SageMaker lets one job run are not to be had.
    hard = min(hard, LONGEST_RUNTIME_S + BOOT_S + STOP_S + UPLOAD_S)
    runtime = hard - BOOT_S - STOP_S - UPLOAD_S
    inside = runtime - ORDERLY_S - (BOOT_S + LOST_S if spot else 0)
    if inside < SHORTEST_S:
        least = least_budget(
            SHORTEST_S, price, instances=instances, spot=spot, set_aside=set_aside
        )
        kept = f", of which ${set_aside:.2f} are set aside" if set_aside else ""
        raise OverBudget(
            f"a budget of ${budget:.2f}{kept}, leaves no time for a training at "
            f"${price.normalize():f} an hour on {instances}: starting, stopping and "
            f"uploading are paid too. From ${least:.2f} on it does; or take a cheaper "
            "instance"
        )
    # Never longer than on-demand seconds that are paid for, though waiting is free:
    # a job may be running all that time.
    wait = hard - STOP_S - UPLOAD_S if spot else None
    return JobLimits(
        budget=budget,
        set_aside=set_aside,
        price=price,
        instances=instances,
        spot=spot,
        hard_s=hard,
        wait_s=wait,
        runtime_s=runtime,
        inside_s=inside,
    )


def least_budget(
    seconds: float,
    price: Decimal,
    *,
    instances: int = 1,
    spot: bool = False,
    set_aside: Decimal = Decimal(0),
) -> Decimal:
    """Dollars, rounded up to a cent, under which a training may last `seconds`."""
    beside = BOOT_S + STOP_S + UPLOAD_S + ORDERLY_S + (BOOT_S + LOST_S if spot else 0)
    whole = -floor(-Fraction(seconds)) + beside
    exact = Fraction(whole) * Fraction(price) * instances / HOUR + Fraction(set_aside)
    return Decimal(-floor(-exact * 100)) / 100


def _check(budget: Decimal, price: Decimal, instances: int, set_aside: Decimal) -> None:
    for name, value in (("budget", budget), ("price", price), ("amount", set_aside)):
        if not value.is_finite() or value < 0:
            raise SageMakerError(f"the {name} {value} is no amount of dollars")
    if not price:
        raise SageMakerError("a price of $0 an hour is none: nothing would be limited")
    if instances < 1:
        raise SageMakerError(f"{instances} instances train nothing; at least 1")
