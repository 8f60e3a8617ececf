"""Takes down all resources in the ledger, the costliest first.

Each step can be repeated, and one that fails does not keep the others from being done.
What was only asked for (`asked`) is looked for like the rest: whether it came to be is
known to AWS alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from finetune.sagemaker import places
from finetune.sagemaker.alarm import delete_alarm
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket_check import bytes_under
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, told
from finetune.sagemaker.resource_ledger import Books, Kind, Made
from finetune.sagemaker.role import delete_role
from finetune.sagemaker.tracking import delete_trial

# An endpoint costs by the hour and goes first; its schedule is a net under it and goes
# last of the four.
ORDER: tuple[Kind, ...] = (
    "endpoint",
    "training-job",
    "endpoint-config",
    "model",
    "schedule",
    "budget",
    "trial",
    "objects",
    "role",
    "bucket",
    "experiment",
)
UNDER_ENDPOINT = ("endpoint-config", "model", "schedule")
"""Kinds that an endpoint still needs while it cannot be deleted."""
POLL_S = 5.0
WAIT_S = 1200.0
"""So long a job is waited for that was told to stop: 120 s of grace, and its upload."""
ENDED = ("Completed", "Failed", "Stopped", "Deleted")
COMING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
"""States of an endpoint in which it cannot be deleted."""


@dataclass(frozen=True)
class TeardownStep:
    """Result of taking down one resource."""

    kind: Kind
    name: str
    done: str
    """`deleted`, `stopped`, `already gone`, `kept`, `failed`, `would be deleted`."""
    why: str = ""


@dataclass(frozen=True)
class TakenDown:
    """Results of a teardown."""

    steps: tuple[TeardownStep, ...]

    @property
    def failed(self) -> tuple[TeardownStep, ...]:
        """Resources that still stand and may still cost."""
        return tuple(step for step in self.steps if step.done == "failed")


@dataclass(frozen=True)
class How:
    """Options of a teardown."""

    data: bool = False
    """Delete the objects too: checkpoints, and a model that was not fetched."""
    dry_run: bool = False
    kinds: tuple[Kind, ...] = ORDER
    sleep: Callable[[float], None] = time.sleep
    wait_s: float = WAIT_S


def take_down(aws: Aws, books: Books, how: How) -> TakenDown:
    """Take down what was made for a run.

    The ledger is marked after each step, so that it may be broken off anywhere.
    """
    steps: list[TeardownStep] = []
    for kind in how.kinds:
        for made in books.ledger.of(kind):
            if made.state == "gone":
                continue
            if how.dry_run:
                steps.append(_foretold(made, how))
                continue
            if kind in UNDER_ENDPOINT and _stands(steps):
                # Above all the schedule, which is what still deletes it.
                steps.append(
                    TeardownStep(kind, made.name, "kept", "an endpoint still stands")
                )
                continue
            try:
                steps.append(_one(aws, books, made, how))
            except SageMakerError as error:
                steps.append(TeardownStep(kind, made.name, "failed", str(error)))
    return TakenDown(tuple(steps))


def _stands(steps: list[TeardownStep]) -> bool:
    """Whether an endpoint could not be deleted."""
    return any(step.kind == "endpoint" and step.done == "failed" for step in steps)


def told_steps(taken: TakenDown) -> str:
    """Results, a line each, and what still costs."""
    if not taken.steps:
        return "nothing was made for this run that is still there"
    lines = [
        f"{step.done:<16} {step.kind} {step.name}"
        + (f": {step.why}" if step.why else "")
        for step in taken.steps
    ]
    if taken.failed:
        lines.append(
            f"{len(taken.failed)} of them may still be there and cost: call it again"
        )
    return "\n".join(lines)


def _kept(made: Made, how: How) -> str:
    """Why a resource is kept; empty if it is not."""
    if made.shared:
        return "other runs use it, or it was not made here"
    if made.kind == "objects" and not how.data:
        return "it may hold what was not fetched; --data deletes it"
    if made.kind == "bucket" and not how.data:
        return "--data deletes it, if it is empty by then"
    return ""


def _foretold(made: Made, how: How) -> TeardownStep:
    kept = _kept(made, how)
    if kept:
        return TeardownStep(made.kind, made.name, "kept", kept)
    if made.kind == "training-job":
        return TeardownStep(made.kind, made.name, "would be stopped", "if it runs")
    return TeardownStep(made.kind, made.name, "would be deleted")


def _one(aws: Aws, books: Books, made: Made, how: How) -> TeardownStep:
    kept = _kept(made, how)
    if kept:
        return TeardownStep(made.kind, made.name, "kept", kept + _weight(aws, made))
    if made.kind == "training-job":
        return _end_job(aws, books, made, how)
    if made.kind == "endpoint":
        return _end_endpoint(aws, books, made, how)
    there = _DELETE[made.kind](aws, made.name)
    books.gone(made.kind, made.name)
    return TeardownStep(made.kind, made.name, "deleted" if there else "already gone")


def _end_job(aws: Aws, books: Books, made: Made, how: How) -> TeardownStep:
    sagemaker, name = aws.client("sagemaker"), made.name
    try:
        job = _describe(sagemaker, name)
    except ResourceMissing:
        books.note("training-job", name, billed_s=0)
        books.gone("training-job", name)
        return TeardownStep("training-job", name, "already gone")
    was_running = job["TrainingJobStatus"] not in ENDED
    if job["TrainingJobStatus"] == "InProgress":
        _stop(sagemaker, name)
    waited = 0.0
    while job["TrainingJobStatus"] not in ENDED:
        if waited >= how.wait_s:
            raise SageMakerError(
                f"the job {name} was told to stop and has not ended after "
                f"{waited:.0f} s; it is billed until it does"
            )
        how.sleep(POLL_S)
        waited += POLL_S
        job = _describe(sagemaker, name)
    billed = billed_seconds(job)
    books.note("training-job", name, billed_s=billed)
    books.gone("training-job", name)
    # Its description stays in the account, as AWS keeps it, and costs nothing.
    return TeardownStep(
        "training-job",
        name,
        "stopped" if was_running else "already gone",
        f"{billed:,} s billed",
    )


def billed_seconds(job: dict[str, Any]) -> int:
    """Billed seconds of an ended job, as SageMaker tells them."""
    if job.get("TrainingStartTime") is None:
        return 0
    return int(
        job.get("BillableTimeInSeconds") or job.get("TrainingTimeInSeconds") or 0
    )


def _describe(sagemaker: Any, name: str) -> dict[str, Any]:
    with told(f"look at the job {name}"):
        return dict(sagemaker.describe_training_job(TrainingJobName=name))


def _stop(sagemaker: Any, name: str) -> None:
    try:
        with told(f"stop the job {name}"):
            sagemaker.stop_training_job(TrainingJobName=name)
    except SageMakerError:
        # It may have ended between the look and the word.
        if _describe(sagemaker, name)["TrainingJobStatus"] == "InProgress":
            raise


def _end_endpoint(aws: Aws, books: Books, made: Made, how: How) -> TeardownStep:
    sagemaker, name = aws.client("sagemaker"), made.name
    waited = 0.0
    while True:
        try:
            with told(f"delete the endpoint {name}"):
                sagemaker.delete_endpoint(EndpointName=name)
            break
        except ResourceMissing:
            gone_by_itself(books, made)
            return TeardownStep("endpoint", name, "already gone")
        except SageMakerError:
            # One that comes up or changes is not deleted before it has.
            if endpoint_state(aws, name) not in COMING or waited >= how.wait_s:
                raise
            how.sleep(POLL_S)
            waited += POLL_S
    while endpoint_state(aws, name) is not None:
        if waited >= how.wait_s:
            raise SageMakerError(f"the endpoint {name} is still being deleted")
        how.sleep(POLL_S)
        waited += POLL_S
    books.gone("endpoint", name)
    return TeardownStep("endpoint", name, "deleted")


def endpoint_state(aws: Aws, name: str) -> str | None:
    """The state of an endpoint; None: there is none of that name (any more)."""
    try:
        with told(f"look at the endpoint {name}"):
            found = aws.client("sagemaker").describe_endpoint(EndpointName=name)
    except ResourceMissing:
        return None
    return str(found["EndpointStatus"])


def gone_by_itself(books: Books, made: Made) -> None:
    """Write down that an endpoint is gone: by its schedule, or that it never was."""
    now = books.clock()
    at = now if made.until is None else min(now, made.until)
    if made.state == "asked":
        at = made.asked_at
    books.note("endpoint", made.name, state="gone", gone_at=at)


def _delete_endpoint_config(aws: Aws, name: str) -> bool:
    sagemaker = aws.client("sagemaker")
    return _was_there(
        lambda: sagemaker.delete_endpoint_config(EndpointConfigName=name),
        f"delete the endpoint's configuration {name}",
    )


def _delete_model(aws: Aws, name: str) -> bool:
    sagemaker = aws.client("sagemaker")
    return _was_there(
        lambda: sagemaker.delete_model(ModelName=name), f"delete the model {name}"
    )


def _delete_schedule(aws: Aws, name: str) -> bool:
    scheduler = aws.client("scheduler")
    return _was_there(
        lambda: scheduler.delete_schedule(Name=name), f"delete the schedule {name}"
    )


def _delete_objects(aws: Aws, address: str) -> bool:
    """Delete all objects under an address, with versions and unfinished uploads."""
    bucket, prefix = bucket_and_prefix(address)
    s3, found = aws.client("s3"), False
    owner = {"Bucket": bucket, "ExpectedBucketOwner": aws.account}
    with told(f"delete {address}"):
        for page in s3.get_paginator("list_object_versions").paginate(
            **owner, Prefix=prefix
        ):
            keys = [
                {"Key": each["Key"], "VersionId": each["VersionId"]}
                for kind in ("Versions", "DeleteMarkers")
                for each in page.get(kind, ())
            ]
            if not keys:
                continue
            found = True
            answer = s3.delete_objects(**owner, Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise SageMakerError(
                    f"{len(answer['Errors'])} objects of {address} were not deleted: "
                    f"{first.get('Key')}: {first.get('Message')}"
                )
        for page in s3.get_paginator("list_multipart_uploads").paginate(
            **owner, Prefix=prefix
        ):
            for upload in page.get("Uploads", ()):
                found = True
                s3.abort_multipart_upload(
                    **owner, Key=upload["Key"], UploadId=upload["UploadId"]
                )
    return found


def _delete_bucket(aws: Aws, name: str) -> bool:
    s3 = aws.client("s3")
    return _was_there(
        lambda: s3.delete_bucket(Bucket=name, ExpectedBucketOwner=aws.account),
        f"delete the bucket {name}",
    )


# A job ends otherwise, and an experiment is other runs' as well.
_DELETE: dict[Kind, Callable[[Aws, str], bool]] = {
    "endpoint-config": _delete_endpoint_config,
    "model": _delete_model,
    "schedule": _delete_schedule,
    "objects": _delete_objects,
    "budget": delete_alarm,
    "trial": delete_trial,
    "role": delete_role,
    "bucket": _delete_bucket,
}


def bucket_and_prefix(address: str) -> tuple[str, str]:
    """s3://BUCKET/PREFIX in its parts; the prefix ends in a slash.

    Raises:
        SageMakerError: it names no prefix: all of a bucket is nobody's run.
    """
    parts = urlsplit(address)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or not prefix:
        raise SageMakerError(f"{address} is no address s3://BUCKET/PREFIX")
    return parts.netloc, f"{prefix}/"


def _was_there(delete: Callable[[], object], doing: str) -> bool:
    try:
        with told(doing):
            delete()
    except ResourceMissing:
        return False
    return True


def _weight(aws: Aws, made: Made) -> str:
    """Size and cost of a kept prefix; empty where it cannot be asked."""
    from medassist.core.words import size

    if made.kind != "objects":
        return ""
    try:
        held = bytes_under(aws, *bucket_and_prefix(made.name))
    except SageMakerError:
        return ""
    month = Decimal(held) * places.table().storage["s3"] / 10**9
    return f" ({size(held)}, ${month:.2f} a month)"
