"""`finetune sagemaker train`: a run's training as a job, told and asked first."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.sagemaker.logs import follow
from finetune.commands.sagemaker.options import (
    BUDGET,
    EXTRAS,
    HOURS,
    INSTANCE,
    PREFIX,
    BaseFrom,
    Bucket,
    Budget,
    Hours,
    Instance,
    InstanceRole,
    Instances,
    Json,
    Out,
    Prefix,
    Profile,
    Recipe,
    Region,
    SecurityGroups,
    Spot,
    Subnets,
    Tokens,
    Yes,
    account,
    pairs,
)
from medassist.core.terminal import Proxy, confirm, room, say, show, watching

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.bundle import Bundle
    from finetune.sagemaker.job_request import JobOptions, JobOrder
    from finetune.sagemaker.obstacles import PlanRequest
    from finetune.sagemaker.resume import ResumePoint
    from finetune.sagemaker.start import RunPrefix
    from finetune.sagemaker.training_plan import Plan
    from finetune.train.training_folder import TrainingRun


def train(
    recipe: Recipe,
    out: Out = None,
    role: Annotated[
        str,
        typer.Option(
            "--role", metavar="ARN", help="Of the job; `role` shows or makes one."
        ),
    ] = "",
    budget: Budget = BUDGET,
    instance: Instance = INSTANCE,
    instances: Instances = 1,
    spot: Spot = False,
    hours: Hours = HOURS,
    tokens: Tokens = None,
    base_from: BaseFrom = None,
    resume_from: Annotated[
        Path | None,
        typer.Option(
            "--resume-from",
            metavar="RUN",
            help="Go on from the newest checkpoint in this run folder here; RUN's own, "
            "or another one's of the same recipe.",
        ),
    ] = None,
    bucket: Bucket = None,
    prefix: Prefix = PREFIX,
    kms_key: Annotated[
        str | None,
        typer.Option(
            "--kms-key",
            metavar="ARN",
            help="Encrypts what is sent, what is kept and what comes of it.",
        ),
    ] = None,
    subnets: Subnets = None,
    security_groups: SecurityGroups = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="NAME=VALUE", help="More tags of the job."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="NAME",
            help="An experiment of SageMaker that the job is shown in; it is made "
            "where it is not there.",
        ),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(
            "--mlflow", metavar="ARN", help="An MLflow resource to be named in the job."
        ),
    ] = None,
    alarm: Annotated[
        str | None,
        typer.Option(
            "--alarm",
            metavar="MAIL",
            help="Have AWS Budgets send a mail there when SageMaker's bill of the "
            "month nears the budget. It is no limit.",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", metavar="URI", help="Another image, with torch 2.9 or later."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Follow its log until it has ended."),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Train a run on SageMaker, under a budget.

    What leaves this computer, and to which country, is told and asked first. Code and
    base are sent once a bucket; an upload that broke off goes on. The job has no
    network, ends by itself before the budget does, and keeps its best adapter from the
    first validation on. Called again it goes on from its checkpoints.
    """
    with room(EXTRAS):
        from finetune.sagemaker.errors import SageMakerError
        from finetune.train.training_folder import open_run

    # What this computer can tell comes before an account is asked for.
    run = open_run(recipe, out, resume=True)
    if run.finished() is not None:
        raise SageMakerError(
            f"{run.root} is trained already; name another folder by --out"
        )
    if not role:
        raise SageMakerError(
            "a job needs a role: name its ARN by --role. `medassist finetune "
            "sagemaker role --bucket BUCKET` shows what it may, and makes one"
        )
    with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker import start as work
        from finetune.sagemaker.bundle import make_bundle
        from finetune.sagemaker.job_limits import dollars
        from finetune.sagemaker.job_request import JobOptions
        from finetune.sagemaker.obstacles import PlanRequest
        from finetune.sagemaker.resource_ledger import open_books

        options = JobOptions(
            kms_key,
            tuple(subnets or ()),
            tuple(security_groups or ()),
            pairs(tags or []),
            experiment,
            mlflow,
            image,
            alarm,
        )
        wish = PlanRequest(
            recipe=run.recipe,
            root=run.root,
            budget=dollars(budget),
            instance=instance,
            instances=instances,
            spot=spot,
            hours=hours,
            tokens_per_epoch=tokens,
            base_from=base_from,
            bucket=bucket,
        )
        now = time.time()
        books = open_books(run.root, aws.account, aws.region)
        work.settle(aws, books, run, now)
        plan = _planned(aws, wish, options)
        _packages(run, yes=yes, json=json)
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory())
            watcher = opened.enter_context(watching(quiet=json))
            before = None
            if resume_from is not None:
                from finetune.sagemaker.resume import found_in

                before = opened.enter_context(found_in(resume_from, run))
            bundle = make_bundle(
                run, Path(folder), base_from=base_from, watcher=watcher
            )
            place = work.place_of(
                books.ledger, _bucket(aws, bucket), prefix, run.recipe.name, now
            )
            order = work.order_of(
                run, plan, bundle, place, role, options, base_from=base_from, now=now
            )
            if not yes or not json:
                say(_told(plan, bundle, place, order, before), err=True)
            if not yes:
                confirm("Send this and start the job?", abort=True, err=True)
            started = work.start(
                aws,
                books,
                run,
                bundle,
                place,
                order,
                before=before,
                watcher=watcher,
            )
        text = (
            f"started {started.job} ({started.arn})\n{order.limits.told}\n"
            f"see it with: medassist finetune sagemaker status {run.root}"
        )
        show(started, text, json=json)
        if wait:
            follow(aws, books, run.root, err=json)


def _bucket(aws: Aws, named: str | None) -> str:
    """The bucket that was named, or the default one."""
    from finetune.sagemaker.bucket import default_bucket

    return named or default_bucket(aws)


def _planned(aws: Aws, wish: PlanRequest, options: JobOptions) -> Plan:
    """The plan, where nothing stands in the way of it, nor of the job's options.

    Raises:
        SageMakerError: something does; the message names all of it.
    """
    from dataclasses import replace

    from finetune.sagemaker.errors import SageMakerError
    from finetune.sagemaker.option_checks import wrong
    from finetune.sagemaker.training_plan import make_plan

    plan = make_plan(aws, aws.region, wish)
    plan = replace(plan, reasons=(*plan.reasons, *wrong(aws, options)))
    if not plan.may_begin:
        raise SageMakerError(plan.refusal)
    return plan


def _told(
    plan: Plan,
    bundle: Bundle,
    place: RunPrefix,
    order: JobOrder,
    before: ResumePoint | None,
) -> str:
    lines = [
        f"This leaves this computer for s3://{place.bucket}/{place.prefix} in "
        f"{plan.region} ({plan.country}), account {plan.account}, as far as it is not "
        "there already:",
        bundle.told,
    ]
    if before is not None:
        lines.append(before.told)
    if order.options.experiment:
        lines.append(
            f"The job is shown in the experiment {order.options.experiment}, which is "
            "made where it is not there."
        )
    if order.options.subnets:
        lines.append(
            "Your network must have a gateway endpoint of S3, or the job waits for its "
            "data until its time is over."
        )
    if order.options.alarm:
        lines.append(
            f"AWS Budgets learns the address {order.options.alarm} and writes to it "
            f"when SageMaker costs ${order.limits.budget:.2f} a month, or half of it."
        )
    lines.append(
        f"Then {order.name} is started on {plan.instances} x {plan.instance}: "
        f"{order.limits.told}"
    )
    return "\n".join(lines)


def _packages(run: TrainingRun, *, yes: bool, json: bool) -> None:
    """Ask before pip goes online for what a job installs."""
    from finetune.sagemaker import wheelhouse

    wanted = wheelhouse.requirements(qlora=run.recipe.lora.method == "qlora")
    lacking = wheelhouse.missing(wheelhouse.wheel_cache(), wanted)
    if not lacking:
        return
    text = (
        f"{len(lacking)} of the {len(wanted)} packages that a job installs are not in "
        f"{wheelhouse.wheel_cache()} yet (about 160 MB in all)"
    )
    if not yes:
        confirm(f"{text}. Let pip fetch them?", abort=True, err=True)
    elif not json:
        say(f"{text}; pip fetches them", err=True)
