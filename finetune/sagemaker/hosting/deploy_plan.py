"""Plan of an endpoint and its cost, before anything is made or sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from finetune.errors import FinetuneError
from finetune.sagemaker import places
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket_check import check_bucket
from finetune.sagemaker.errors import SageMakerError
from finetune.sagemaker.hosting import llama_cpp, vllm
from finetune.sagemaker.hosting.subject import ServedSubject, SubjectWish
from finetune.sagemaker.job_limits import LATE_S, cost
from finetune.sagemaker.places import EngineKind
from finetune.sagemaker.price import Price, price
from finetune.sagemaker.quotas import Quota, endpoint_quota, quotas
from finetune.sagemaker.resource_ledger import read_ledger
from medassist.core.run_folder import RunFolder
from medassist.core.words import memory

DEFAULT_INSTANCE: dict[EngineKind, str] = {
    "vllm": "ml.g5.2xlarge",
    "llama-cpp": "ml.m5.xlarge",
}
LEAST_HOURS, MOST_HOURS = 0.5, 72.0


@dataclass(frozen=True)
class DeployWish:
    """Options of a deployment."""

    root: Path
    hours: float
    engine: EngineKind = "vllm"
    instance: str = ""
    """Empty: the engine's usual one."""
    budget: Decimal = Decimal(25)
    """Dollars for all of the run, its jobs and endpoints before this one included."""
    bucket: str | None = None
    image: str | None = None
    subject: SubjectWish = field(default_factory=SubjectWish)

    @property
    def kind(self) -> str:
        """The type of instance."""
        return self.instance or DEFAULT_INSTANCE[self.engine]


@dataclass(frozen=True)
class DeployPlan:
    """Plan of an endpoint, and what stands in its way."""

    run: str
    region: str
    country: str
    account: str
    engine: EngineKind
    instance: str
    image: str
    hours: float
    budget: Decimal
    price: Price | None
    quota: Quota | None
    memory: int | None
    available: int | None
    context: int | None
    before: Decimal
    """Dollars that the run's jobs and endpoints have cost, or cost at worst."""
    worst: Decimal | None
    """Dollars of this endpoint, if it goes as late as it can."""
    reasons: tuple[str, ...]
    """Why it is refused; nothing, where it may begin."""
    notes: tuple[str, ...] = ()
    subject: ServedSubject | None = field(default=None, repr=False)

    @property
    def may_begin(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons


def make_deploy_plan(aws: Aws, wish: DeployWish) -> DeployPlan:
    """The plan of an endpoint.

    Raises:
        SageMakerError: region, instance or hours are not known, or the account does
            not answer at all.
    """
    check_hours(wish.hours)
    kind = wish.kind
    machine = places.instance(kind)
    image = wish.image or places.serving_image(aws.region, wish.engine, kind)
    account = aws.account
    why: list[str] = []
    notes: list[str] = []
    subject = _subject(wish, why)
    if subject is not None:
        why += _memory(subject, machine, kind, notes)
    if wish.bucket is not None:
        try:
            check_bucket(aws, wish.bucket)
        except SageMakerError as error:
            why.append(str(error))
    quota = _quota(aws, kind, why)
    listed: Price | None = None
    try:
        listed = price(aws, aws.region, kind, "hosting")
    except SageMakerError as error:
        why.append(str(error))
    ledger = read_ledger(wish.root)
    before = ledger.spent if ledger is not None else Decimal(0)
    worst = None
    if listed is not None:
        worst = cost(wish.hours * 3600 + LATE_S, listed.dollars)
        why += _over(wish, listed, worst, before)
    return DeployPlan(
        run=str(wish.root),
        region=aws.region,
        country=places.country(aws.region),
        account=account,
        engine=wish.engine,
        instance=kind,
        image=image,
        hours=wish.hours,
        budget=wish.budget,
        price=listed,
        quota=quota,
        memory=subject.needs if subject else None,
        available=subject.available(machine) if subject else None,
        context=subject.context if subject else None,
        before=before,
        worst=worst,
        reasons=tuple(why),
        notes=tuple(notes),
        subject=subject,
    )


def check_hours(hours: float) -> None:
    """Make sure that an endpoint may stand for so long.

    Raises:
        SageMakerError: it may not.
    """
    if not LEAST_HOURS <= hours <= MOST_HOURS:
        raise SageMakerError(
            f"--hours {hours:g}: from {LEAST_HOURS:g} to {MOST_HOURS:g} may be said. "
            "An endpoint takes ten minutes to come up, and costs until it goes; it can "
            "be put up again at any time"
        )


def _subject(wish: DeployWish, why: list[str]) -> ServedSubject | None:
    engine = vllm if wish.engine == "vllm" else llama_cpp
    try:
        return engine.subject(RunFolder(wish.root), wish.subject)
    except FinetuneError as error:
        why.append(str(error))
        return None


def _memory(
    subject: ServedSubject, machine: places.Instance, kind: str, notes: list[str]
) -> Iterator[str]:
    available = subject.available(machine)
    if subject.needs is None:
        notes.append(f"memory: not known, the base {subject.base} is not here")
    elif subject.needs > available:
        enough = [
            (each.gpus, each.gpu_memory, each.memory, name)
            for name, each in places.table().instances.items()
            if (each.gpus > 0) == (machine.gpus > 0)
            and subject.available(each) >= subject.needs
        ]
        larger = f"It fits {min(enough)[-1]}: --instance" if enough else ""
        yield (
            f"the memory of {kind} does not suffice: about {memory(subject.needs)} are "
            f"needed for a context of {subject.context:,}, and the engine has "
            f"{memory(available)}. {larger or 'Say a smaller --context'}"
        )


def _quota(aws: Aws, kind: str, why: list[str]) -> Quota | None:
    name = endpoint_quota(kind)
    try:
        quota = quotas(aws, name).get(name)
    except SageMakerError as error:
        why.append(str(error))
        return None
    if quota is None:
        why.append(
            f"Service Quotas has no quota {name!r} in {aws.region}: that region may "
            "not have this type of instance"
        )
        return None
    if quota.value < 1:
        why.append(
            f"the quota {quota.name!r} of this account is {quota.value:g}, and one "
            f"instance would be started. More is asked for with: {quota.request(1)} "
            "(it takes hours to days)"
        )
    return quota


def _over(
    wish: DeployWish, listed: Price, worst: Decimal, before: Decimal
) -> Iterator[str]:
    left = wish.budget - before
    if worst <= left:
        return
    hours = float(left / listed.dollars) - LATE_S / 3600
    fits = (
        f"{hours:.1f} hours would do (--hours), or"
        if hours >= LEAST_HOURS
        else "a cheaper instance would do, or"
    )
    told = f", of which ${before:.2f} went to this run before" if before else ""
    yield (
        f"{wish.hours:g} hours at ${listed.dollars.normalize():f} cost up to "
        f"${worst:.2f}, over the budget of ${wish.budget:.2f}{told}: {fits} a larger "
        "--budget"
    )


def told_plan(plan: DeployPlan) -> str:
    """The plan as text for the user."""
    lines = [
        f"{plan.run} on one {plan.instance} ({plan.engine}), {plan.region} "
        f"({plan.country}), account {plan.account}"
    ]
    if plan.price is not None:
        lines.append(f"  price     {plan.price.told}")
    if plan.worst is not None:
        before = f"; ${plan.before:.2f} of it went before" if plan.before else ""
        lines.append(
            f"  cost      {plan.hours:g} h, at worst ${plan.worst:.2f} of "
            f"${plan.budget:.2f}{before}"
        )
    if plan.memory is not None and plan.available is not None:
        lines.append(
            f"  memory    about {memory(plan.memory)} of {memory(plan.available)}"
        )
    if plan.context is not None:
        lines.append(f"  context   {plan.context:,} tokens")
    if plan.quota is not None:
        lines.append(f"  quota     {plan.quota.value:g} ({plan.quota.name})")
    lines.append(f"  image     {plan.image}")
    lines += [f"  {note}" for note in plan.notes]
    return "\n".join(lines)
