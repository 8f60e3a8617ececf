"""Deploys an endpoint: its end first, then itself; each is written down before.

The schedule that deletes the endpoint stands before the endpoint is asked for, so that
nothing that happens to this program or this computer can leave it running. An endpoint
that does not come up, or whose tuned side is the base, is taken down again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from finetune.errors import FinetuneError
from finetune.sagemaker import strict
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import make_bucket
from finetune.sagemaker.channel import InputChannel
from finetune.sagemaker.errors import QuotaReached, SageMakerError, code_of, told
from finetune.sagemaker.hosting import requests
from finetune.sagemaker.hosting.coming_up import NotUp, first_answers, wait
from finetune.sagemaker.hosting.deploy_plan import DeployPlan
from finetune.sagemaker.hosting.endpoint import engine_of
from finetune.sagemaker.hosting.invoke import Endpoint
from finetune.sagemaker.hosting.requests import EndpointOrder
from finetune.sagemaker.patience import patiently
from finetune.sagemaker.resource_ledger import Books, EndpointSetup, Kind
from finetune.sagemaker.start import SHARED, BrokenOff, RunPrefix
from finetune.sagemaker.teardown import How, endpoint_state, take_down, told_steps
from finetune.sagemaker.upload import upload
from medassist.core.progress import Watcher, unwatched

KINDS: tuple[Kind, ...] = ("endpoint", "endpoint-config", "model", "schedule")
Request = Callable[[], object]


@dataclass(frozen=True)
class Deployed:
    """An endpoint that answers as base and as tuned."""

    endpoint: str
    run: str
    engine: str
    region: str
    instance: str
    until: float
    """Seconds since 1970, when its schedule deletes it."""
    price: Decimal
    worst: Decimal
    sent: int
    """Bytes that were sent for it."""
    told_apart: str
    """`words` or `likelihoods`: by what the probe told tuned from base."""


def addresses(
    channels: list[InputChannel], place: RunPrefix, base_from: str | None
) -> dict[str, str]:
    """S3 addresses of what an endpoint loads, by channel."""
    found = {
        each.name: f"s3://{place.bucket}/{each.prefix(place.under(each.name))}"
        for each in channels
    }
    if "base" not in found and base_from is not None:
        found["base"] = base_from.rstrip("/") + "/"
    return found


def check(aws: Aws, order: EndpointOrder, now: float) -> None:
    """Make sure that AWS would take all four requests, before anything is sent.

    Raises:
        SageMakerError: it would not.
    """
    wrong = [
        complaint
        for service, operation, request in (
            ("sagemaker", "CreateModel", requests.model(order)),
            ("sagemaker", "CreateEndpointConfig", requests.endpoint_config(order)),
            ("scheduler", "CreateSchedule", requests.schedule(order, now)),
            ("sagemaker", "CreateEndpoint", requests.endpoint(order)),
        )
        for complaint in strict.complaints(aws.client(service), operation, request)
    ]
    if wrong:
        raise SageMakerError(
            "AWS would not take this endpoint, so nothing was sent: " + "; ".join(wrong)
        )


def served_by(order: EndpointOrder) -> EndpointSetup:
    """Engine, instance and models of the endpoint of an order."""
    subject = order.subject
    return EndpointSetup(
        engine=subject.engine,
        image=order.image,
        instance=order.instance,
        context=subject.context,
        base=subject.base,
        adapter_sha256=subject.adapter_sha256,
    )


def deploy(
    aws: Aws,
    books: Books,
    plan: DeployPlan,
    order: EndpointOrder,
    channels: list[InputChannel],
    place: RunPrefix,
    *,
    watcher: Watcher = unwatched,
) -> Deployed:
    """Send what is not there yet, make the endpoint and its end, and probe it.

    Raises:
        NotUp: it did not come up, or its tuned side is the base; it was taken down.
        SageMakerError: a request is not one that AWS takes (nothing is sent then), an
            upload broke off, or AWS refuses.
        BrokenOff: Ctrl-C; it says what is left and costs.
    """
    assert plan.price is not None and plan.worst is not None
    check(aws, order, time.time())
    # What it is asked with is looked for before anything costs.
    engine = engine_of(order.subject.run, served_by(order))
    with _left_told(books, order, plan):
        sent = _send(aws, books, order, channels, place, watcher)
        with _taken_down(aws, books, plan):
            until = _make(aws, books, order, plan)
            wait(aws, order.name, until, watcher)
            made = books.ledger.find("endpoint", order.name)
            assert made is not None
            watcher("Asking base and tuned", 0, 1)
            endpoint = Endpoint(aws, order.name, engine)
            probed = first_answers(books, made, endpoint)
            watcher("Asking base and tuned", 1, 1)
    return Deployed(
        endpoint=order.name,
        run=plan.run,
        engine=plan.engine,
        region=aws.region,
        instance=plan.instance,
        until=until,
        price=plan.price.dollars,
        worst=plan.worst,
        sent=sent,
        told_apart=probed.by,
    )


def _send(
    aws: Aws,
    books: Books,
    order: EndpointOrder,
    channels: list[InputChannel],
    place: RunPrefix,
    watcher: Watcher,
) -> int:
    make_bucket(aws, books, place.bucket, order.options.kms_key)
    sent = 0
    for channel in channels:
        shared = channel.name in SHARED
        uri = order.addresses[channel.name] if shared else place.own_uri
        with books.making("objects", uri, shared=shared):
            under = place.under(channel.name)
            key = order.options.kms_key
            sent += upload(
                aws, place.bucket, under, channel, kms_key=key, watcher=watcher
            )
    return sent


def _make(aws: Aws, books: Books, order: EndpointOrder, plan: DeployPlan) -> float:
    """Model, configuration, the end, the endpoint; until when it stands."""
    sagemaker, scheduler = aws.client("sagemaker"), aws.client("scheduler")
    name = order.name
    assert plan.price is not None
    with books.making("model", name):
        _ask(
            f"make the model {name}",
            lambda: sagemaker.create_model(**requests.model(order)),
        )
    with books.making("endpoint-config", name):
        _ask(
            f"make the endpoint's configuration {name}",
            lambda: sagemaker.create_endpoint_config(**requests.endpoint_config(order)),
        )
    # From now on, and not from before an upload that may have taken an hour.
    until = float(int(time.time() + plan.hours * 3600))
    with books.making("schedule", name, until=until):
        _ask(
            f"make the schedule that deletes the endpoint {name}, without which none "
            "is put up",
            lambda: scheduler.create_schedule(**requests.schedule(order, until)),
        )
    _must_stand(aws, order, until)
    facts = {
        "price": plan.price.dollars,
        "until": until,
        "served": served_by(order),
    }
    with books.making("endpoint", name, **facts):
        try:
            _ask(
                f"put up the endpoint {name}",
                lambda: sagemaker.create_endpoint(**requests.endpoint(order)),
            )
        except QuotaReached:
            # By the endpoint itself, where the first answer was lost.
            if endpoint_state(aws, name) is None:
                raise
    return until


def _ask(doing: str, request: Request) -> None:
    """Ask for a thing of a name that is ours alone: it may be there already."""

    def once() -> None:
        try:
            with told(doing):
                request()
        except SageMakerError as error:
            if not _is_there(error):
                raise  # else the answer to the first request was lost

    patiently(once, time.sleep)


def _is_there(error: SageMakerError) -> bool:
    code = code_of(error.__cause__ or error)
    return code in ("ResourceInUse", "ConflictException") or (
        code == "ValidationException" and "already exist" in str(error)
    )


def _must_stand(aws: Aws, order: EndpointOrder, until: float) -> None:
    """Look that the end of the endpoint is what was asked for.

    Raises:
        SageMakerError: it is not; no endpoint may be put up.
    """
    wanted = requests.schedule(order, until)
    with told(f"look at the schedule {order.name}"):
        found = dict(aws.client("scheduler").get_schedule(Name=order.name))
    target = found.pop("Target", {})
    for key, value in {**wanted, **wanted["Target"]}.items():
        there = target.get(key) if key in wanted["Target"] else found.get(key)
        if key != "Target" and there != value:
            raise SageMakerError(
                f"the schedule {order.name} is not the one that was asked for ({key} "
                f"is {there!r:.200}), so no endpoint is put up"
            )


def utc(at: float) -> str:
    """A moment as text, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


@contextmanager
def _taken_down(aws: Aws, books: Books, plan: DeployPlan) -> Generator[None]:
    """Take down what was made, where it came to no endpoint that answers."""
    try:
        yield
    except FinetuneError as error:
        taken = take_down(aws, books, How(kinds=KINDS, sleep=time.sleep))
        cost = (
            f"Call `medassist finetune sagemaker teardown {plan.run}`: it may cost"
            if taken.failed
            else "Nothing of it costs by the hour any more"
        )
        raise NotUp(f"{error}.\n{told_steps(taken)}\n{cost}") from error


@contextmanager
def _left_told(books: Books, order: EndpointOrder, plan: DeployPlan) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise BrokenOff(_left(books, order, plan)) from None


def _left(books: Books, order: EndpointOrder, plan: DeployPlan) -> str:
    made = books.ledger.find("endpoint", order.name)
    end = f"medassist finetune sagemaker teardown {plan.run}"
    there = made if made is not None and made.state != "gone" else None
    if there is None or there.until is None:
        return (
            "stopped. No endpoint was asked for, and nothing costs by the hour; what "
            f"was sent lies in S3. The same command goes on from there, and `{end}` "
            "deletes what was made"
        )
    at = utc(there.until)
    return (
        f"stopped. The endpoint {order.name} was asked for and may be running, at "
        f"${there.price or 0:.2f} an hour; its schedule deletes it at {at}. To end "
        f"it now: {end}"
    )
