"""Status of a job: its state in words, its figures, its log; and stopping it."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.errors import (
    ResourceMissing,
    SageMakerError,
    code_of,
    in_words,
    told,
)
from finetune.sagemaker.job_limits import cost
from finetune.sagemaker.job_request import METRICS
from finetune.sagemaker.resource_ledger import Books, Made, ResourceLedger
from medassist.core.words import duration

LOGS = "/aws/sagemaker/TrainingJobs"
ENDED = frozenset({"Completed", "Failed", "Stopped", "Deleted"})
STEP = re.compile(r"step-(\d+)$")
IN_WORDS = {
    "Starting": "an instance is looked for",
    "Pending": "it waits for an instance, which is not billed",
    "LaunchingMLInstances": "an instance is started",
    "PreparingTrainingStack": "an instance is made ready",
    "Downloading": "data and base are loaded",
    "DownloadingTrainingImage": "the image is loaded",
    "Training": "it trains",
    "Uploading": "the result is uploaded",
    "Stopping": "it was told to stop, and puts its adapter in order",
    "Interrupted": "the spot instance was taken away; it goes on elsewhere",
    "Restarting": "it starts again from its checkpoints",
    "Completed": "it has ended, and the adapter can be fetched",
    "Stopped": "it was stopped, and what it had learned can be fetched",
    "MaxRuntimeExceeded": "its time was over; what it had learned can be fetched",
    "MaxWaitTimeExceeded": "no spot instance was left in its time; what it had learned "
    "can be fetched",
    "Failed": "it failed",
}


@dataclass(frozen=True)
class Status:
    """A job, as `status` shows it."""

    job: str
    status: str
    secondary: str
    words: str
    why: str
    """Reason why a job failed."""
    seconds: int
    """Billed so far."""
    spent: Decimal
    worst: Decimal
    """Dollars at worst, if it goes on for as long as it may."""
    figures: dict[str, float]
    """The last value of each of CloudWatch's metrics."""
    checkpoint_step: int | None
    """Step of the newest whole checkpoint in S3."""
    checkpoint_age: float | None
    """Seconds since it was complete there."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class KeptCheckpoint:
    """A whole checkpoint in S3."""

    step: int
    prefix: str
    at: float
    """Seconds since 1970."""


def last_job(ledger: ResourceLedger | None, run: object) -> Made:
    """The newest training job of a run.

    Raises:
        SageMakerError: there was none.
    """
    jobs = ledger.of("training-job") if ledger is not None else ()
    if not jobs:
        raise SageMakerError(
            f"{run} has no job on SageMaker yet; start one with: medassist finetune "
            f"sagemaker train {run}"
        )
    return jobs[-1]


def describe(aws: Aws, name: str) -> dict[str, Any]:
    """SageMaker's description of a job.

    Raises:
        SageMakerError: it knows of none, or does not answer.
    """
    with told(f"look at the job {name}"):
        return aws.client("sagemaker").describe_training_job(TrainingJobName=name)


def status(aws: Aws, books: Books, made: Made, now: float) -> Status:
    """Status of a job; the ledger learns what it cost, once it has ended."""
    try:
        found = describe(aws, made.name)
    except ResourceMissing:
        if made.state == "asked":
            books.gone("training-job", made.name)
            raise ResourceMissing(
                f"the job {made.name} never came to be, and costs nothing; start it "
                "again with train"
            ) from None
        raise
    state, secondary = str(found["TrainingJobStatus"]), str(found["SecondaryStatus"])
    seconds = int(
        found.get("BillableTimeInSeconds") or found.get("TrainingTimeInSeconds") or 0
    )
    if state in ENDED and made.billed_s != seconds:
        books.note("training-job", made.name, billed_s=seconds, state="there")
    price = made.price or Decimal(0)
    spent = cost(seconds, price, made.instances)
    kept = checkpoints(aws, found["CheckpointConfig"]["S3Uri"])
    last = {
        each["MetricName"]: float(each["Value"])
        for each in found.get("FinalMetricDataList", ())
    }
    return Status(
        job=made.name,
        status=state,
        secondary=secondary,
        words=IN_WORDS.get(secondary, IN_WORDS.get(state, secondary)),
        why=failure(found),
        seconds=seconds,
        spent=spent,
        worst=spent
        if state in ENDED
        else cost(made.hard_s or 0, price, made.instances),
        figures={name: last[name] for name, _ in METRICS if name in last},
        checkpoint_step=kept[-1].step if kept else None,
        checkpoint_age=max(0.0, now - kept[-1].at) if kept else None,
    )


def told_status(found: Status) -> str:
    """A status as text for the user."""
    lines = [
        f"{found.job}: {found.status} ({found.words})",
        f"  billed      {duration(found.seconds)}, ${found.spent:.2f}"
        + ("" if found.ended else f"; at worst ${found.worst:.2f}"),
    ]
    if found.figures:
        figures = ", ".join(f"{name} {v:g}" for name, v in found.figures.items())
        lines.append(f"  figures     {figures}")
    if found.checkpoint_step is not None:
        age = duration(found.checkpoint_age or 0.0)
        lines.append(f"  checkpoint  step {found.checkpoint_step:,}, {age} ago")
    if found.why:
        lines.append(f"  why         {found.why}")
    return "\n".join(lines)


def failure(found: dict[str, Any]) -> str:
    """Why a job failed, with what to do about it."""
    said = str(found.get("FailureReason") or "").strip()
    if not said:
        return ""
    said = said.removeprefix("AlgorithmError: ").split(", exit code")[0]
    kinds = (
        ("CapacityError", "there was no instance to be had; try again later, another "
         "--instance, or another region"),
        ("InternalServerError", "the fault is on AWS's side; start it again"),
        ("ClientError: Data download failed", "the role may not read the bucket; see "
         "`medassist finetune sagemaker role`"),
        ("does not suffice", "see docs/recipes.md for what makes it smaller"),
    )  # fmt: skip
    hint = next((words for part, words in kinds if part in said), "")
    return f"{said} ({hint})" if hint else said


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and prefix of s3://BUCKET/PREFIX; the prefix with a slash at its end."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix.rstrip("/") + "/" if prefix else ""


def objects(aws: Aws, uri: str) -> list[dict[str, Any]]:
    """All objects under an address of S3; Key, Size and LastModified of each."""
    bucket, prefix = split_uri(uri)
    with told(f"list {uri}"):
        pages = aws.client("s3").get_paginator("list_objects_v2")
        return [
            each
            for page in pages.paginate(
                Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=aws.account
            )
            for each in page.get("Contents", ())
        ]


def checkpoints(aws: Aws, uri: str) -> list[KeptCheckpoint]:
    """The whole checkpoints under `uri`, the newest last: those whose marker holds."""
    bucket, prefix = split_uri(uri)
    there = {each["Key"].removeprefix(prefix): each for each in objects(aws, uri)}
    found: list[KeptCheckpoint] = []
    for path, each in there.items():
        folder, _, name = path.partition("/")
        step = STEP.match(folder)
        if name != "whole.json" or step is None:
            continue
        with told(f"read {each['Key']}"):
            body = aws.client("s3").get_object(
                Bucket=bucket, Key=each["Key"], ExpectedBucketOwner=aws.account
            )["Body"]
            try:
                sizes = dict(json.loads(body.read()))
            except ValueError:
                continue
        sound = {n: there.get(f"{folder}/{n}", {}).get("Size") for n in sizes}
        if sound == sizes:
            at = each["LastModified"].timestamp()
            found.append(KeptCheckpoint(int(step[1]), f"{prefix}{folder}/", at))
    return sorted(found, key=lambda kept: kept.step)


def log_lines(aws: Aws, job: str, tokens: dict[str, str], since: int = 0) -> list[str]:
    """The lines of a job's log that were not read yet.

    Args:
        aws: the account.
        job: its name.
        tokens: how far each stream was read; changed.
        since: milliseconds since 1970, of the first line.

    Raises:
        SageMakerError: the log cannot be read.
    """
    from botocore.exceptions import ClientError

    logs = aws.client("logs")
    try:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=LOGS, logStreamNamePrefix=f"{job}/"
        )
        streams = [
            each["logStreamName"] for page in pages for each in page["logStreams"]
        ]
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return []  # the group comes with the first job of an account
        raise in_words(error, f"read the log of {job}") from error
    hosts = {_host(stream) for stream in streams}
    lines: list[str] = []
    for stream in sorted(streams):
        before = f"{_host(stream)}: " if len(hosts) > 1 else ""
        lines += (before + line for line in _stream(logs, stream, tokens, since))
    return lines


def _host(stream: str) -> str:
    """`algo-1` of JOB/algo-1-SECONDS."""
    return stream.rpartition("/")[2].rpartition("-")[0]


def _stream(
    logs: Any, stream: str, tokens: dict[str, str], since: int
) -> Generator[str]:
    while True:
        more = {"nextToken": tokens[stream]} if stream in tokens else {}
        with told(f"read the log {stream}"):
            page = logs.get_log_events(
                logGroupName=LOGS,
                logStreamName=stream,
                startFromHead=True,
                startTime=since,
                **more,
            )
        yield from (str(event["message"]).rstrip("\n") for event in page["events"])
        after = page["nextForwardToken"]
        if after == tokens.get(stream):
            return  # the same token twice: nothing more for now
        tokens[stream] = after


def stop(aws: Aws, name: str) -> bool:
    """Ask a job to end in order.

    Returns:
        False where it had ended already.

    Raises:
        SageMakerError: it cannot be asked.
    """
    if describe(aws, name)["TrainingJobStatus"] in ENDED | {"Stopping"}:
        return False
    with told(f"stop the job {name}"):
        aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    return True
