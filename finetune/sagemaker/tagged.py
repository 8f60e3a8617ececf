"""Finds resources in a region of an account by their tags, without a ledger.

A ledger may be lost, and several runs have several. What was made for one bears the tag
`medassist:run`, and what else is billed by the hour there is somebody else's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from finetune.sagemaker.alarm import alarms
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import default_bucket
from finetune.sagemaker.bucket_check import check_bucket
from finetune.sagemaker.container.contract import PRICE
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, told
from finetune.sagemaker.job_limits import BOOT_S, STOP_S, UPLOAD_S
from finetune.sagemaker.job_request import NAMED, RUN_TAG
from finetune.sagemaker.price import price
from finetune.sagemaker.resource_ledger import Kind, Made, ResourceLedger
from finetune.sagemaker.teardown import ENDED

PREFIX = "medassist"
"""Under which all lies in the default bucket, where no other one was named."""


@dataclass
class Tagged:
    """Resources that were found."""

    ledger: ResourceLedger
    """Ledger of everything that bears our tag, in all runs."""
    others: list[str] = field(default_factory=list[str])
    """Other things that are billed by the hour, and what could not be looked at."""

    @contextmanager
    def looking(self, what: str) -> Generator[None]:
        """Note what may not be listed, and look at the rest."""
        try:
            with told(f"list each {what}"):
                yield
        except SageMakerError as error:
            self.others.append(f"whether there is a {what} is not known: {error}")

    def add(self, kind: Kind, name: str, **facts: Any) -> None:
        """Add a resource of ours."""
        made = Made.model_validate(
            {"kind": kind, "name": name, "state": "there", **facts}
        )
        made_before = self.ledger.made
        self.ledger = self.ledger.model_copy(update={"made": (*made_before, made)})


def find(aws: Aws, *, ended: bool = True) -> Tagged:
    """Find the resources in the region that cost something.

    Args:
        aws: the account.
        ended: list jobs that have ended as well: they have cost something.
    """
    found = Tagged(ResourceLedger(account=aws.account, region=aws.region))
    with found.looking("endpoint"):
        _endpoints(aws, found)
    with found.looking("training job"):
        _jobs(aws, found, ended)
    with found.looking("endpoint configuration"):
        for each in _ours(aws, "list_endpoint_configs", "EndpointConfig"):
            found.add("endpoint-config", each["EndpointConfigName"], **_since(each))
    with found.looking("model"):
        for each in _ours(aws, "list_models", "Model"):
            found.add("model", each["ModelName"], **_since(each))
    with found.looking("schedule"):
        pages = aws.client("scheduler").get_paginator("list_schedules")
        for page in pages.paginate(NamePrefix=NAMED):
            for each in page["Schedules"]:
                found.add("schedule", each["Name"], **_since(each, "CreationDate"))
    with found.looking("alarm"):
        for alarm in alarms(aws):
            if alarm.name.startswith(NAMED):
                found.add("budget", alarm.name, asked_at=0)
    with found.looking("bucket"):
        bucket = default_bucket(aws)
        if check_bucket(aws, bucket).there:
            found.add("objects", f"s3://{bucket}/{PREFIX}", asked_at=0)
            found.add("bucket", bucket, asked_at=0)
    _somebody_elses(aws, found)
    return found


def _endpoints(aws: Aws, found: Tagged) -> None:
    for each in _listed(aws, "list_endpoints", "Endpoints"):
        name = each["EndpointName"]
        instance, count = _instances(aws, name)
        hourly = _price(aws, instance)
        if _run_of(aws, each["EndpointArn"]):
            found.add("endpoint", name, price=hourly, instances=count, **_since(each))
            continue
        costs = f", ${hourly * count:.2f} an hour" if hourly is not None else ""
        on = f" on {count} x {instance}" if instance else ""
        found.others.append(f"endpoint {name}{on}{costs}")


def _instances(aws: Aws, endpoint: str) -> tuple[str, int]:
    """Type and number of an endpoint's instances; an empty type: not known."""
    sagemaker = aws.client("sagemaker")
    try:
        with told(f"look at the endpoint {endpoint}"):
            config = sagemaker.describe_endpoint_config(
                EndpointConfigName=sagemaker.describe_endpoint(EndpointName=endpoint)[
                    "EndpointConfigName"
                ]
            )
    except SageMakerError:
        return "", 1
    first = config["ProductionVariants"][0]
    return str(first.get("InstanceType", "")), int(first.get("InitialInstanceCount", 1))


def _price(aws: Aws, instance: str) -> Decimal | None:
    if not instance:
        return None
    try:
        return price(aws, aws.region, instance, "hosting").dollars
    except SageMakerError:
        return None


def _jobs(aws: Aws, found: Tagged, ended: bool) -> None:
    for each in _listed(aws, "list_training_jobs", "TrainingJobSummaries"):
        name, over = each["TrainingJobName"], each["TrainingJobStatus"] in ENDED
        if over and not (ended and name.startswith(NAMED)):
            continue
        if not _run_of(aws, each["TrainingJobArn"]):
            if not over:
                found.others.append(f"training job {name}")
            continue
        with told(f"look at the job {name}"):
            job = aws.client("sagemaker").describe_training_job(TrainingJobName=name)
        found.add("training-job", name, **_since(each), **_terms(job))


def _terms(job: dict[str, Any]) -> dict[str, Any]:
    """Price of a job of ours, and its longest duration."""
    stopping = job["StoppingCondition"]
    longest = stopping.get("MaxWaitTimeInSeconds") or (
        stopping["MaxRuntimeInSeconds"] + BOOT_S
    )
    return {
        "price": job.get("Environment", {}).get(PRICE),
        "instances": job["ResourceConfig"]["InstanceCount"],
        "hard_s": longest + STOP_S + UPLOAD_S,
    }


def _ours(aws: Aws, operation: str, kind: str) -> Iterator[dict[str, Any]]:
    """Resources of a kind that bear our tag."""
    for each in _listed(aws, operation, f"{kind}s", NameContains=NAMED):
        if _run_of(aws, each[f"{kind}Arn"]):
            yield each


def _somebody_elses(aws: Aws, found: Tagged) -> None:
    """Resources billed by the hour that are never made here."""
    asked = (
        ("notebook instance", "list_notebook_instances", "NotebookInstances",
         "NotebookInstanceName", {"StatusEquals": "InService"}),
        ("Studio app", "list_apps", "Apps", "AppName", {}),
        ("MLflow tracking server", "list_mlflow_tracking_servers",
         "TrackingServerSummaries", "TrackingServerName", {}),
    )  # fmt: skip
    for what, operation, part, name, only in asked:
        with found.looking(what):
            for each in _listed(aws, operation, part, **only):
                if each.get("Status") in ("Deleted", "Failed"):
                    continue
                if each.get("IsActive") == "Inactive":
                    continue
                found.others.append(f"{what} {each[name]}")


def _listed(
    aws: Aws, operation: str, part: str, **only: Any
) -> Iterator[dict[str, Any]]:
    pages = aws.client("sagemaker").get_paginator(operation)
    for page in pages.paginate(**only):
        yield from page[part]


def _run_of(aws: Aws, arn: str) -> str:
    """The run that a thing was made for; empty: it was not made here."""
    try:
        with told(f"read the tags of {arn}"):
            tags = aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
    except ResourceMissing:
        return ""  # it went between the list and the look
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == RUN_TAG), "")


def _since(each: dict[str, Any], name: str = "CreationTime") -> dict[str, float]:
    return {"asked_at": each[name].timestamp()}
