"""Costs of a run, past and running: by the ledger, and by what AWS says now."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from finetune.sagemaker import places, tagged
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket_check import bytes_under
from finetune.sagemaker.errors import ResourceMissing, told
from finetune.sagemaker.job_limits import LATE_S, cost
from finetune.sagemaker.resource_ledger import Made, ResourceLedger
from finetune.sagemaker.teardown import (
    ENDED,
    billed_seconds,
    bucket_and_prefix,
    endpoint_state,
)
from medassist.core.words import duration, size

CANNOT_SEE = (
    "Not seen here: requests and transfers, {more}, keys of KMS, other regions and "
    "accounts, taxes and discounts. The bill of AWS has the last word, a day later"
)
OF_A_RUN = CANNOT_SEE.format(more="logs")
OF_ALL = CANNOT_SEE.format(more="buckets other than the default one")
LOGS = "/aws/sagemaker/"


@dataclass(frozen=True)
class CostLine:
    """Costs of one thing."""

    what: str
    dollars: Decimal
    at_worst: Decimal
    """Cost at worst; equal to `dollars`, where it has ended."""
    told: str
    per_month: Decimal = Decimal(0)
    """Cost a month from now on, as long as it is there."""


@dataclass(frozen=True)
class Costs:
    """All costs of a run, or of the account."""

    lines: tuple[CostLine, ...]
    others: tuple[str, ...] = ()
    """Further things in the region that cost by the hour, and were not made here."""
    not_seen: str = OF_A_RUN

    @property
    def spent(self) -> Decimal:
        """Dollars so far."""
        return sum((line.dollars for line in self.lines), Decimal(0))

    @property
    def at_worst(self) -> Decimal:
        """Dollars when all that runs has ended as late as it can."""
        return sum((line.at_worst for line in self.lines), Decimal(0))


def costs(aws: Aws, ledger: ResourceLedger, now: float) -> Costs:
    """Computes the costs of the things in a ledger.

    Args:
        aws: the account.
        ledger: of a run.
        now: seconds since 1970.

    Raises:
        SageMakerError: the account cannot be asked.
    """
    return Costs(tuple(_of(aws, made, now) for made in ledger.made if _may_cost(made)))


def costs_of_all(aws: Aws, now: float) -> Costs:
    """Costs of all of medassist's in the region, by its tags; and what else runs."""
    found = tagged.find(aws)
    lines = costs(aws, found.ledger, now).lines
    with found.looking("log"):
        lines += _logs(aws)
    return Costs(lines, tuple(found.others), OF_ALL)


def told_costs(found: Costs) -> str:
    """The costs as a person reads them."""
    lines = [
        f"  ${line.dollars:8.2f}  {line.what}: {line.told}" for line in found.lines
    ]
    lines.append(f"  ${found.spent:8.2f}  so far; at worst ${found.at_worst:.2f}")
    month = sum((line.per_month for line in found.lines), Decimal(0))
    if month:
        lines.append(f"  ${month:8.2f}  a month for what lies in S3, until `teardown`")
    lines += [f"  running now: {other}" for other in found.others]
    return "\n".join([*lines, found.not_seen])


def _logs(aws: Aws) -> tuple[CostLine, ...]:
    """Costs of the logs of SageMaker; they were paid for when they were written."""
    written = places.table().storage["logs"]
    pages = aws.client("logs").get_paginator("describe_log_groups")
    return tuple(
        CostLine(
            f"log {group['logGroupName']}",
            Decimal(0),
            Decimal(0),
            f"{size(int(group.get('storedBytes', 0)))}, paid at ${written} a GB when "
            "it was written",
        )
        for page in pages.paginate(logGroupNamePrefix=LOGS)
        for group in page["logGroups"]
    )


def _may_cost(made: Made) -> bool:
    return made.kind in ("training-job", "endpoint", "objects")


def _of(aws: Aws, made: Made, now: float) -> CostLine:
    match made.kind:
        case "training-job":
            return _job(aws, made)
        case "endpoint":
            return _endpoint(aws, made, now)
        case _:
            return _objects(aws, made)


def _job(aws: Aws, made: Made) -> CostLine:
    what, price = f"job {made.name}", made.price or Decimal(0)
    if made.billed_s is None:
        try:
            with told(f"look at the job {made.name}"):
                job = aws.client("sagemaker").describe_training_job(
                    TrainingJobName=made.name
                )
        except ResourceMissing:
            return CostLine(what, Decimal(0), Decimal(0), "it never began")
        billed, ended = billed_seconds(job), job["TrainingJobStatus"] in ENDED
    else:
        billed, ended = made.billed_s, True
    spent = cost(billed, price, made.instances)
    at = f"{duration(billed)} at ${price.normalize():f} an hour"
    if made.instances > 1:
        at += f" on {made.instances}"
    if ended:
        return CostLine(what, spent, spent, at)
    return CostLine(what, spent, max(spent, made.worst), f"{at} so far; it runs")


def _endpoint(aws: Aws, made: Made, now: float) -> CostLine:
    """Costs of an endpoint: from the request on, which is rather too early."""
    what, price = f"endpoint {made.name}", made.price or Decimal(0)
    there = made.state != "gone" and endpoint_state(aws, made.name) is not None
    if made.state == "asked" and not there:
        return CostLine(what, Decimal(0), Decimal(0), "it never came to be")
    end = made.gone_at
    if end is None:
        end = now if there else min(now, made.until or now)
    seconds = max(0, round(end - made.asked_at))
    spent = cost(seconds, price, made.instances)
    at = f"{duration(seconds)} at ${price.normalize():f} an hour"
    if not there:
        return CostLine(what, spent, spent, at)
    if made.until is None:
        return CostLine(what, spent, spent, f"{at}; no end of it is known")
    if now > made.until + LATE_S:
        at += (
            "; its schedule should have deleted it, and it is still there: end it with "
            "`teardown`"
        )
        return CostLine(what, spent, spent, at)
    return CostLine(what, spent, max(spent, made.worst), f"{at} so far; it is there")


def _objects(aws: Aws, made: Made) -> CostLine:
    what = made.name
    if made.state == "gone":
        return CostLine(what, Decimal(0), Decimal(0), "deleted")
    try:
        held = bytes_under(aws, *bucket_and_prefix(made.name))
    except ResourceMissing:
        return CostLine(what, Decimal(0), Decimal(0), "not there")
    month = Decimal(held) * places.table().storage["s3"] / 10**9
    return CostLine(what, Decimal(0), Decimal(0), size(held), month)
