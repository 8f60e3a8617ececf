"""Start a training job: bucket, upload, request; each is written down first."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from finetune.sagemaker import strict
from finetune.sagemaker.alarm import make_alarm
from finetune.sagemaker.aws_session import Aws
from finetune.sagemaker.bucket import make_bucket
from finetune.sagemaker.bundle import Bundle
from finetune.sagemaker.errors import ResourceMissing, SageMakerError, code_of, told
from finetune.sagemaker.job_limits import JobLimits
from finetune.sagemaker.job_request import JobOptions, JobOrder, job_name, request
from finetune.sagemaker.patience import patiently
from finetune.sagemaker.resource_ledger import Books, ResourceLedger
from finetune.sagemaker.resume import ResumePoint, send
from finetune.sagemaker.tracking import make_trial
from finetune.sagemaker.training_plan import Plan
from finetune.sagemaker.upload import upload
from finetune.sagemaker.watch import describe, status
from finetune.train.training_folder import TrainingRun
from medassist.core.progress import Watcher, unwatched

SHARED = ("code", "base")
"""Channels that are alike for many runs, and lie once in a bucket."""


class BrokenOff(SageMakerError):
    """The user stopped the program; the message says what still runs and costs."""

    exit_code = 130


@dataclass(frozen=True)
class RunPrefix:
    """Bucket and prefixes in S3 that hold the files of a run."""

    bucket: str
    prefix: str
    """Prefix of everything; without slashes at its ends."""
    own: str
    """Prefix of the run alone: its input, checkpoints, results."""

    @property
    def own_uri(self) -> str:
        return f"s3://{self.bucket}/{self.own}/"

    @property
    def name(self) -> str:
        """Name of the run's trial and alarm in the account."""
        return self.own.rpartition("/")[2]

    def under(self, channel: str) -> str:
        """The prefix that a channel lies under; code and base are shared by runs."""
        return self.prefix if channel in SHARED else f"{self.own}/input"


@dataclass(frozen=True)
class Started:
    """A job that was started."""

    job: str
    arn: str
    run: str
    region: str
    sent: int
    """Bytes that were sent for it."""
    output: str
    checkpoints: str
    limits: JobLimits
    resumed_from: int | None = None
    """The step of the checkpoint that was sent along."""


def place_of(
    ledger: ResourceLedger | None, bucket: str, prefix: str, recipe: str, now: float
) -> RunPrefix:
    """Prefix of a run: that of the job before, else a new one."""
    prefix = prefix.strip("/")
    root = f"s3://{bucket}/{prefix}/runs/"
    for made in reversed(ledger.of("objects") if ledger is not None else ()):
        if made.name.startswith(root) and made.state != "gone" and not made.shared:
            own = made.name.removeprefix(f"s3://{bucket}/").rstrip("/")
            return RunPrefix(bucket, prefix, own)
    return RunPrefix(bucket, prefix, f"{prefix}/runs/{job_name(recipe, now)}")


def order_of(
    run: TrainingRun,
    plan: Plan,
    bundle: Bundle,
    place: RunPrefix,
    role: str,
    options: JobOptions,
    *,
    base_from: str | None,
    now: float,
) -> JobOrder:
    """Order of the job; checkpoints are shared by the jobs of one recipe.

    Raises:
        SageMakerError: the plan refuses.
    """
    if plan.limits is None or plan.price is None or plan.reasons:
        raise SageMakerError(plan.refusal)
    inputs = {
        each.name: f"s3://{place.bucket}/{each.prefix(place.under(each.name))}"
        for each in bundle.channels
    }
    if bundle.base is None:
        inputs["base"] = str(base_from).rstrip("/") + "/"
    return JobOrder(
        name=job_name(run.recipe.name, now),
        recipe=run.recipe.name,
        run=place.own,
        role=role,
        image=plan.image,
        instance=plan.instance,
        instances=plan.instances,
        price=plan.price.dollars,
        limits=plan.limits,
        inputs=inputs,
        output=f"{place.own_uri}output",
        checkpoints=f"{place.own_uri}checkpoints/{run.recipe_sha256[:16]}",
        options=options,
    )


def settle(aws: Aws, books: Books, run: TrainingRun, now: float) -> None:
    """Learn what the jobs before have cost; none of them may still be at work.

    Raises:
        SageMakerError: one is at work, and would share its checkpoints.
    """
    for made in books.ledger.of("training-job"):
        if made.state == "gone" or made.billed_s is not None:
            continue
        try:
            found = status(aws, books, made, now)
        except ResourceMissing:
            continue  # it never came to be, or is long gone
        if not found.ended:
            raise SageMakerError(
                f"the job {made.name} of this run is still at work ({found.status}); "
                f"see `medassist finetune sagemaker status {run.root}`"
            )


def start(
    aws: Aws,
    books: Books,
    run: TrainingRun,
    bundle: Bundle,
    place: RunPrefix,
    order: JobOrder,
    *,
    before: ResumePoint | None = None,
    watcher: Watcher = unwatched,
    sleep: Callable[[float], None] = time.sleep,
) -> Started:
    """Send what is not there yet, and start the job.

    Args:
        aws: the account.
        books: of the run; they know of each thing first.
        run: the run.
        bundle: what the job is given.
        place: where it lies in S3.
        order: the job.
        before: the checkpoints that it goes on with, beside those of its run's jobs.
        watcher: is told how far it is.
        sleep: waits between two tries.

    Raises:
        SageMakerError: the request is not one that AWS takes (nothing is sent then),
            an upload broke off, or AWS refuses.
        BrokenOff: Ctrl-C; it says what is left.
    """
    asked = request(order)
    wrong = strict.complaints(aws.client("sagemaker"), "CreateTrainingJob", asked)
    if wrong:
        raise SageMakerError(
            "SageMaker would not take this job, so nothing was sent: "
            + "; ".join(wrong)
        )
    sent = 0
    with _left_told(run, order):
        make_bucket(aws, books, place.bucket, order.options.kms_key)
        for channel in bundle.channels:
            shared = channel.name in SHARED
            uri = order.inputs[channel.name] if shared else place.own_uri
            with books.making("objects", uri, shared=shared):
                under = place.under(channel.name)
                sent += upload(
                    aws,
                    place.bucket,
                    under,
                    channel,
                    kms_key=order.options.kms_key,
                    watcher=watcher,
                )
        if before is not None:
            key = order.options.kms_key
            sent += send(aws, before, order.checkpoints, kms_key=key, watcher=watcher)
        if order.options.experiment:
            make_trial(aws, books, order.options.experiment, place.name)
        if order.options.alarm:
            amount, mail = order.limits.budget, order.options.alarm
            make_alarm(aws, books, place.name, amount, mail)
        with books.making(
            "training-job",
            order.name,
            price=order.price,
            instances=order.instances,
            hard_s=order.limits.hard_s,
        ):
            arn = _create(aws, asked, sleep)
    return Started(
        order.name,
        arn,
        str(run.root),
        aws.region,
        sent,
        order.output,
        order.checkpoints,
        order.limits,
        before.step if before is not None else None,
    )


def _create(aws: Aws, asked: dict[str, Any], sleep: Callable[[float], None]) -> str:
    client, name = aws.client("sagemaker"), asked["TrainingJobName"]

    def ask() -> str:
        try:
            with told(f"start the job {name}"):
                return str(client.create_training_job(**asked)["TrainingJobArn"])
        except SageMakerError as error:
            if code_of(error.__cause__ or error) != "ResourceInUse":
                raise
            # The answer to the first request was lost; it was carried out.
            return str(describe(aws, name)["TrainingJobArn"])

    return patiently(ask, sleep)


@contextmanager
def _left_told(run: TrainingRun, order: JobOrder) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise BrokenOff(
            f"stopped. The job {order.name} may have been asked for: `medassist "
            f"finetune sagemaker status {run.root}` says whether it runs and costs. "
            "What was sent lies in S3; the same command goes on from there, and "
            "teardown --data deletes it"
        ) from None
