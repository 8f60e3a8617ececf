"""Plan of a training on SageMaker, before anything is made or sent.

Whatever stands in the way is found here and not after an upload: all of it, not only
the first. `train` refuses by the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from finetune.sagemaker import instance_fit, money, places
from finetune.sagemaker.alarm import NO_LIMIT, told_alarms
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import default_bucket
from finetune.sagemaker.bucket_check import check_bucket
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.job_limits import JobLimits
from finetune.sagemaker.obstacles import PlanRequest, obstacles
from finetune.sagemaker.price import Price, price
from finetune.sagemaker.quotas import (
    Quota,
    endpoint_quota,
    needed,
    quotas,
    training_quota,
)
from finetune.sagemaker.resource_ledger import read_ledger
from medassist.core.run_folder import RunFolder
from medassist.core.words import memory, plural


@dataclass(frozen=True)
class Seconds:
    """The limits and the need, in seconds."""

    hard: int
    runtime: int
    wait: int | None
    orderly: int
    expected: int | None


@dataclass(frozen=True)
class Plan:
    """All that is known before a training."""

    recipe: str
    region: str
    country: str
    account: str | None
    instance: str
    instances: int
    spot: bool
    image: str
    budget: Decimal
    price: Price | None
    quota: Quota | None
    tokens: int | None
    memory: int | None
    available: int | None
    fits: bool | None
    seconds: Seconds | None
    cost: money.Dollars | None
    reasons: tuple[str, ...]
    """Why it is refused; nothing, where it may begin."""
    notes: tuple[str, ...] = ()
    limits: JobLimits | None = field(default=None, repr=False)

    @property
    def may_begin(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons

    @property
    def refusal(self) -> str:
        """All that stands in the way, for who would begin."""
        return "refused:\n" + "\n".join(f"- {reason}" for reason in self.reasons)


def make_plan(aws: Aws | None, region: str, wish: PlanRequest) -> Plan:
    """The plan of a training.

    Args:
        aws: the account; None: nobody is asked, and what only AWS knows is left out.
        region: where it would be trained.
        wish: what is asked for.

    Raises:
        SageMakerError: region or instance are not known, or the account does not
            answer at all.
    """
    recipe = wish.recipe
    image = places.training_image(region, wish.instance)
    account = aws.account if aws is not None else None
    why, notes = list(obstacles(wish)), list(_noted(wish))
    form = instance_fit.form_of(recipe)
    found = _fit(wish, form, notes)
    if found is not None and not found.fits:
        why.append(
            f"the memory of {wish.instance} does not suffice: about "
            f"{memory(found.memory)} are needed, and it has {memory(found.available)}. "
            f"{_larger(wish, form)}"
        )
    if aws is not None:
        try:
            check_bucket(aws, wish.bucket or default_bucket(aws))
        except SageMakerError as error:
            why.append(str(error))
    quota = _quota(aws, wish, why, notes)
    listed = hosting = bounds = None
    try:
        listed = price(aws, region, wish.instance, "training")
    except SageMakerError as error:
        why.append(str(error))
    else:
        hosting = money.hosting_price(aws, wish, listed)
        if wish.hours and hosting is listed:
            notes.append(
                "the price of an endpoint is not known; the training's stands in"
            )
    aside = money.set_aside(wish, form, hosting.dollars if hosting else None)
    if listed is not None:
        bounds = money.bounds(wish, listed, found, aside, why)
    if aws is not None:
        notes += told_alarms(aws)
    expected = _expected(found)
    return Plan(
        recipe=recipe.name,
        region=region,
        country=places.country(region),
        account=account,
        instance=wish.instance,
        instances=wish.instances,
        spot=wish.spot,
        image=image,
        budget=wish.budget,
        price=listed,
        quota=quota,
        tokens=found.tokens if found else None,
        memory=found.memory if found else None,
        available=found.available if found else None,
        fits=found.fits if found else None,
        seconds=_seconds(bounds, expected),
        cost=money.dollars_of(wish, listed, bounds, expected, aside),
        reasons=tuple(why),
        notes=tuple(notes),
        limits=bounds,
    )


def _noted(wish: PlanRequest) -> Iterator[str]:
    if wish.spot:
        yield (
            "spot: at most the price on demand, typically a third of it; the figures "
            "here count it in full"
        )
    ledger = read_ledger(wish.root)
    if ledger is not None and ledger.spent:
        yield f"${ledger.spent:.2f} of the budget went to earlier jobs of this run"
    yield NO_LIMIT


def _fit(
    wish: PlanRequest, form: instance_fit.TrainedShape | None, notes: list[str]
) -> instance_fit.Fit | None:
    if form is None:
        notes.append(
            f"memory and time are not known: the base {wish.recipe.base} is not here"
        )
        return None
    tokens = _per_epoch(wish)
    if wish.tokens_per_epoch is None and tokens is not None:
        notes.append(f"tokens: guessed from the size of {_data(wish)}")
    machine = places.instance(wish.instance)
    found = instance_fit.fit(
        wish.recipe, form, machine, instances=wish.instances, tokens_per_epoch=tokens
    )
    if found.tokens is None:
        notes.append("time: not known; say --tokens, or prepare the data first")
    elif found.seconds is None:
        what = machine.gpu or "processor"
        notes.append(
            f"time: not known, since nobody measured the {what} of {wish.instance}; "
            "the limits hold all the same"
        )
    return found


def _data(wish: PlanRequest) -> Path:
    return RunFolder(wish.root).split("train")


def _per_epoch(wish: PlanRequest) -> int | None:
    if wish.tokens_per_epoch is not None:
        return wish.tokens_per_epoch
    data = _data(wish)
    return instance_fit.tokens_of_bytes(data.stat().st_size) if data.is_file() else None


def _larger(wish: PlanRequest, form: instance_fit.TrainedShape | None) -> str:
    """The smallest instance of the table on which it fits."""
    if form is None:
        return ""
    wants_gpu = places.instance(wish.instance).gpus > 0
    enough = [
        (machine.gpus, machine.gpu_memory, machine.memory, name)
        for name, machine in places.table().instances.items()
        if (machine.gpus > 0) == wants_gpu
        and instance_fit.fit(wish.recipe, form, machine).fits
    ]
    if not enough:
        return "No instance that is known here has enough: take a smaller base"
    return f"It fits {min(enough)[-1]}: --instance"


def _quota(
    aws: Aws | None, wish: PlanRequest, why: list[str], notes: list[str]
) -> Quota | None:
    if aws is None:
        notes.append("quota, image and account: not asked")
        return None
    name, hosting = (
        training_quota(wish.instance, spot=wish.spot),
        endpoint_quota(wish.instance),
    )
    try:
        found = quotas(aws, name, hosting)
        quota = needed(found, name, aws.region)
    except SageMakerError as error:
        why.append(str(error))
        return None
    if wish.hours and hosting in found and found[hosting].value < 1:
        notes.append(
            f"the quota {hosting!r} is 0: `deploy` would be refused there. More is "
            f"asked for with: {found[hosting].request(1)}"
        )
    if quota.value < wish.instances:
        why.append(
            f"the quota {quota.name!r} of this account is {quota.value:g}, and "
            f"{wish.instances} {plural(wish.instances, 'instance')} would be started. "
            f"More is asked for with: {quota.request(wish.instances)} (it takes hours "
            "to days)"
        )
    return quota


def _expected(found: instance_fit.Fit | None) -> int | None:
    if found is None or found.seconds is None:
        return None
    return round(found.seconds)


def _seconds(bounds: JobLimits | None, expected: int | None) -> Seconds | None:
    if bounds is None:
        return None
    return Seconds(
        hard=bounds.hard_s,
        runtime=bounds.runtime_s,
        wait=bounds.wait_s,
        orderly=bounds.inside_s,
        expected=expected,
    )
