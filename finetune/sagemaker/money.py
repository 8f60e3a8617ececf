"""Budget of a plan: what is set aside, and what the training may have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from finetune.sagemaker import instance_fit, places
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_limits import (
    BOOT_S,
    HOUR,
    UPLOAD_S,
    JobLimits,
    OverBudget,
    cost,
    least_budget,
    limits,
)
from finetune.sagemaker.obstacles import PlanRequest
from finetune.sagemaker.price import Price, from_table, price
from finetune.sagemaker.resource_ledger import read_ledger
from medassist.core.words import duration

LOGS_BYTES = 50_000_000
BESIDE_BASE_BYTES = 10**9
"""Bytes of code, data, checkpoints and results in S3."""


@dataclass(frozen=True)
class SetAside:
    """Dollars of the budget that the training cannot have."""

    storage: Decimal
    """A month in S3, and the log."""
    endpoint: Decimal
    earlier: Decimal
    """Jobs of this run before; those that run at worst."""

    @property
    def total(self) -> Decimal:
        """Sum of all that is set aside, in dollars."""
        return self.storage + self.endpoint + self.earlier


@dataclass(frozen=True)
class Dollars:
    """Costs of a plan, for `--json` and for a person."""

    expected: Decimal | None
    """Cost with what is set aside; None: the time is not known."""
    worst: Decimal
    set_aside: Decimal
    storage: Decimal
    endpoint: Decimal
    earlier: Decimal


def set_aside(
    wish: PlanRequest, form: instance_fit.TrainedShape | None, hosting: Decimal | None
) -> SetAside:
    """Amounts that a run needs beside its next training job.

    Args:
        wish: what is asked for.
        form: of the base, which lies in S3 for a month.
        hosting: dollars an hour of an endpoint on the same type of instance.
    """
    stored = places.table().storage
    weights = form.bytes_in_bf16 if form else 0
    month = stored["s3"] * Decimal(weights + BESIDE_BASE_BYTES) / 10**9
    logs = stored["logs"] * Decimal(LOGS_BYTES) / 10**9
    ledger = read_ledger(wish.root)
    return SetAside(
        (month + logs).quantize(Decimal("0.01"), "ROUND_UP"),
        cost(wish.hours * HOUR, hosting) if hosting and wish.hours else Decimal(0),
        ledger.spent if ledger is not None else Decimal(0),
    )


def hosting_price(aws: Aws | None, wish: PlanRequest, listed: Price) -> Price:
    """Dollars an hour of an endpoint; where nobody says them, the training's."""
    try:
        return price(aws, listed.region, wish.instance, "hosting")
    except SageMakerError:
        return listed


def bounds(
    wish: PlanRequest,
    listed: Price,
    found: instance_fit.Fit | None,
    aside: SetAside,
    why: list[str],
) -> JobLimits | None:
    """The limits of the job; `why` learns what stands in the way."""
    spot, instances = wish.spot, wish.instances
    try:
        made = limits(
            wish.budget,
            listed.dollars,
            instances=instances,
            spot=spot,
            set_aside=aside.total,
        )
    except OverBudget as error:
        why.append(str(error))
        return None
    needed = found.seconds if found is not None else None
    if needed is not None and needed > made.inside_s:
        least = least_budget(
            needed,
            listed.dollars,
            instances=instances,
            spot=spot,
            set_aside=aside.total,
        )
        why.append(
            f"it takes about {duration(needed)}, and ${wish.budget:.2f} leave "
            f"{duration(made.inside_s)} for it. ${least:.2f} would do; or "
            f"{made.inside_s / needed:.0%} of the steps (train.steps, train.epochs)"
            f"{_cheaper(wish, listed, found, aside)}"
        )
    return made


def _cheaper(
    wish: PlanRequest, listed: Price, found: instance_fit.Fit | None, aside: SetAside
) -> str:
    """An instance whose whole training costs less than the budget, if one is known."""
    form = instance_fit.form_of(wish.recipe)
    if form is None or found is None or found.tokens is None:
        return ""
    for name, machine in places.table().instances.items():
        other = from_table(listed.region, name, "training")
        if not machine.gpus or other is None or name == wish.instance:
            continue
        its = instance_fit.fit_tokens(wish.recipe, form, machine, found.tokens)
        if its.seconds is None or not its.fits:
            continue
        rest = aside.storage + aside.earlier + cost(wish.hours * HOUR, other.dollars)
        least = least_budget(its.seconds, other.dollars, spot=wish.spot, set_aside=rest)
        if least <= wish.budget:
            return f"; or {name}, on which it costs about ${least:.2f}"
    return ""


def dollars_of(
    wish: PlanRequest,
    listed: Price | None,
    limited: JobLimits | None,
    expected: int | None,
    aside: SetAside,
) -> Dollars | None:
    """Costs of a plan, where a job could be started at all."""
    if limited is None or listed is None:
        return None
    about = None
    if expected is not None:
        whole = expected + BOOT_S + UPLOAD_S
        about = cost(whole, listed.dollars, wish.instances) + aside.total
    return Dollars(
        expected=about,
        worst=limited.worst,
        set_aside=aside.total,
        storage=aside.storage,
        endpoint=aside.endpoint,
        earlier=aside.earlier,
    )
