"""What a training on SageMaker would be, before anything is made or sent.

Whatever stands in the way is found here and not after an upload: all of it, not only
the first. `train` refuses by the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from finetune.sagemaker import fit as fits
from finetune.sagemaker import places
from finetune.sagemaker.bucket_check import check_bucket
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.ledger import read_ledger
from finetune.sagemaker.limits import (
    BOOT_S,
    UPLOAD_S,
    Limits,
    OverBudget,
    cost,
    least_budget,
    limits,
)
from finetune.sagemaker.obstacles import Wish, obstacles
from finetune.sagemaker.price import Price, from_table, price
from finetune.sagemaker.quotas import Quota, training_quota
from finetune.sagemaker.session import Aws
from medassist.core.run_folder import RunFolder
from medassist.core.words import duration, memory, plural

LOGS_BYTES = 50_000_000


@dataclass(frozen=True)
class Seconds:
    """The limits and the need, in seconds."""

    hard: int
    runtime: int
    wait: int | None
    orderly: int
    expected: int | None


@dataclass(frozen=True)
class Dollars:
    """What it costs."""

    expected: Decimal | None
    worst: Decimal
    set_aside: Decimal


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
    cost: Dollars | None
    reasons: tuple[str, ...]
    """Why it is refused; nothing, where it may begin."""
    notes: tuple[str, ...] = ()
    limits: Limits | None = field(default=None, repr=False)

    @property
    def may_begin(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons


def make_plan(aws: Aws | None, region: str, wish: Wish) -> Plan:
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
    form = fits.form_of(recipe)
    found = _fit(wish, form, notes)
    if found is not None and not found.fits:
        why.append(
            f"the memory of {wish.instance} does not suffice: about "
            f"{memory(found.memory)} are needed, and it has {memory(found.available)}. "
            f"{_larger(wish, form)}"
        )
    if wish.bucket is not None and aws is not None:
        try:
            check_bucket(aws, wish.bucket)
        except SageMakerError as error:
            why.append(str(error))
    quota = _quota(aws, wish, why, notes)
    set_aside = _set_aside(wish, form)
    listed: Price | None = None
    try:
        listed = price(aws, region, wish.instance, "training")
    except SageMakerError as error:
        why.append(str(error))
    bounds = None
    if listed is not None:
        bounds = _bounds(wish, listed, found, set_aside, why)
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
        cost=_cost(wish, listed, bounds, expected, set_aside),
        reasons=tuple(why),
        notes=tuple(notes),
        limits=bounds,
    )


def _noted(wish: Wish) -> Iterator[str]:
    if wish.spot:
        yield (
            "spot: at most the price on demand, typically a third of it; the figures "
            "here count it in full"
        )
    ledger = read_ledger(wish.root)
    if ledger is not None and ledger.spent:
        yield f"${ledger.spent:.2f} of the budget went to earlier jobs of this run"
    yield (
        "an alarm of AWS Budgets is no limit: its figures are hours old. These limits "
        "are kept by the job and by SageMaker"
    )


def _fit(wish: Wish, form: fits.Form | None, notes: list[str]) -> fits.Fit | None:
    if form is None:
        notes.append(
            f"memory and time are not known: the base {wish.recipe.base} is not here"
        )
        return None
    tokens = _per_epoch(wish)
    if wish.tokens_per_epoch is None and tokens is not None:
        notes.append(f"tokens: guessed from the size of {_data(wish)}")
    machine = places.instance(wish.instance)
    found = fits.fit(
        wish.recipe, form, machine, instances=wish.instances, tokens_per_epoch=tokens
    )
    if found.tokens is None:
        notes.append("time: not known; say --tokens, or prepare the data first")
    elif found.seconds is None:
        notes.append(f"time: not known for the processor of {wish.instance}")
    return found


def _data(wish: Wish) -> Path:
    return RunFolder(wish.root).split("train")


def _per_epoch(wish: Wish) -> int | None:
    if wish.tokens_per_epoch is not None:
        return wish.tokens_per_epoch
    data = _data(wish)
    return fits.tokens_of_bytes(data.stat().st_size) if data.is_file() else None


def _larger(wish: Wish, form: fits.Form | None) -> str:
    """The smallest instance of the table on which it fits."""
    if form is None:
        return ""
    wants_gpu = places.instance(wish.instance).gpus > 0
    enough = [
        (machine.gpus, machine.gpu_memory, machine.memory, name)
        for name, machine in places.table().instances.items()
        if (machine.gpus > 0) == wants_gpu and fits.fit(wish.recipe, form, machine).fits
    ]
    if not enough:
        return "No instance that is known here has enough: take a smaller base"
    return f"It fits {min(enough)[-1]}: --instance"


def _quota(
    aws: Aws | None, wish: Wish, why: list[str], notes: list[str]
) -> Quota | None:
    if aws is None:
        notes.append("quota, image and account: not asked")
        return None
    try:
        quota = training_quota(aws, wish.instance, spot=wish.spot)
    except SageMakerError as error:
        why.append(str(error))
        return None
    if quota.value < wish.instances:
        why.append(
            f"the quota {quota.name!r} of this account is {quota.value:g}, and "
            f"{wish.instances} {plural(wish.instances, 'instance')} would be started. "
            f"More is asked for with: {quota.request(wish.instances)} (it takes hours "
            "to days)"
        )
    return quota


def _set_aside(wish: Wish, form: fits.Form | None) -> Decimal:
    """Dollars for a month of storage, logs, and the jobs before this one."""
    storage = places.table().storage
    weights = form.bytes_in_bf16 if form else 0
    month = storage["s3"] * Decimal(weights + 10**9) / 10**9
    logs = storage["logs"] * Decimal(LOGS_BYTES) / 10**9
    ledger = read_ledger(wish.root)
    before = ledger.spent if ledger is not None else Decimal(0)
    return (month + logs).quantize(Decimal("0.01"), "ROUND_UP") + before


def _bounds(
    wish: Wish,
    listed: Price,
    found: fits.Fit | None,
    set_aside: Decimal,
    why: list[str],
) -> Limits | None:
    asked = {"instances": wish.instances, "spot": wish.spot, "set_aside": set_aside}
    try:
        bounds = limits(wish.budget, listed.dollars, **asked)
    except OverBudget as error:
        why.append(str(error))
        return None
    needed = found.seconds if found is not None else None
    if needed is not None and needed > bounds.inside_s:
        least = least_budget(needed, listed.dollars, **asked)
        why.append(
            f"it takes about {duration(needed)}, and ${wish.budget:.2f} leave "
            f"{duration(bounds.inside_s)} for it. ${least:.2f} would do; or "
            f"{bounds.inside_s / needed:.0%} of the steps (train.steps, train.epochs)"
            f"{_cheaper(wish, listed, _per_epoch(wish))}"
        )
    return bounds


def _cheaper(wish: Wish, listed: Price, tokens: int | None) -> str:
    """An instance whose whole training costs less than the budget, if one is known."""
    form = fits.form_of(wish.recipe)
    if form is None:
        return ""
    for name, machine in places.table().instances.items():
        other = from_table(listed.region, name, "training")
        if not machine.gpus or other is None or name == wish.instance:
            continue
        found = fits.fit(wish.recipe, form, machine, tokens_per_epoch=tokens)
        if found.seconds is None or not found.fits:
            continue
        least = least_budget(found.seconds, other.dollars, spot=wish.spot)
        if least <= wish.budget:
            return f"; or {name}, on which it costs about ${least:.2f}"
    return ""


def _expected(found: fits.Fit | None) -> int | None:
    if found is None or found.seconds is None:
        return None
    return round(found.seconds)


def _seconds(bounds: Limits | None, expected: int | None) -> Seconds | None:
    if bounds is None:
        return None
    return Seconds(
        hard=bounds.hard_s,
        runtime=bounds.runtime_s,
        wait=bounds.wait_s,
        orderly=bounds.inside_s,
        expected=expected,
    )


def _cost(
    wish: Wish,
    listed: Price | None,
    bounds: Limits | None,
    expected: int | None,
    set_aside: Decimal,
) -> Dollars | None:
    if bounds is None or listed is None:
        return None
    about = None
    if expected is not None:
        whole = expected + BOOT_S + UPLOAD_S
        about = cost(whole, listed.dollars, wish.instances) + set_aside
    return Dollars(expected=about, worst=bounds.worst, set_aside=set_aside)
