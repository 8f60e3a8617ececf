"""`finetune sagemaker train`: a run's training as a job, told and asked first."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.sagemaker.logs import follow
from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    Yes,
    account,
)
from medassist.core.terminal import Proxy, confirm, say, show, watching

if TYPE_CHECKING:
    from finetune.sagemaker.bundle import Bundle
    from finetune.sagemaker.job import Order
    from finetune.sagemaker.plan import Plan
    from finetune.sagemaker.start import Place
    from finetune.train.training_folder import Run


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe (YAML), the name of one that comes with the program, or a "
            "run folder.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="The run folder; by default runs/NAME."
        ),
    ] = None,
    role: Annotated[
        str,
        typer.Option(
            "--role", metavar="ARN", help="Of the job; `role` shows or makes one."
        ),
    ] = "",
    budget: Annotated[
        str, typer.Option("--budget", metavar="USD", help="Dollars for all of it.")
    ] = "25",
    instance: Annotated[
        str, typer.Option("--instance", metavar="TYPE", help="The type of instance.")
    ] = "ml.g5.2xlarge",
    instances: Annotated[
        int, typer.Option("--instances", metavar="N", min=1, help="How many of them.")
    ] = 1,
    spot: Annotated[
        bool,
        typer.Option(
            "--spot", help="Spare instances: cheaper, and taken away at any time."
        ),
    ] = False,
    base_from: Annotated[
        str | None,
        typer.Option(
            "--base-from",
            metavar="S3|FOLDER",
            help="The base, where it does not lie where the recipe says.",
        ),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="NAME",
            help="Of your own; by default medassist-ACCOUNT-REGION. It is made, closed "
            "to the public, where it is not there.",
        ),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option("--prefix", metavar="PREFIX", help="Under which all of it lies."),
    ] = "medassist",
    kms_key: Annotated[
        str | None,
        typer.Option("--kms-key", metavar="ARN", help="Encrypts the results."),
    ] = None,
    subnets: Annotated[
        list[str] | None,
        typer.Option("--subnet", metavar="ID", help="Of a network of your own."),
    ] = None,
    security_groups: Annotated[
        list[str] | None,
        typer.Option("--security-group", metavar="ID", help="Of that network."),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="NAME=VALUE", help="More tags of the job."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="NAME",
            help="An experiment of SageMaker that the job is shown in.",
        ),
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(
            "--mlflow", metavar="ARN", help="An MLflow resource to be named in the job."
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
    with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker import start as work
        from finetune.sagemaker.bucket import default_bucket
        from finetune.sagemaker.bundle import make_bundle
        from finetune.sagemaker.errors import SageMakerError
        from finetune.sagemaker.job import Options
        from finetune.sagemaker.ledger import open_books
        from finetune.sagemaker.limits import dollars
        from finetune.sagemaker.plan import Wish, make_plan
        from finetune.train.training_folder import open_run

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
        options = Options(
            kms_key,
            tuple(subnets or ()),
            tuple(security_groups or ()),
            _pairs(tags or []),
            experiment,
            mlflow,
            image,
        )
        bucket, now = bucket or default_bucket(aws), time.time()
        books = open_books(run.root, aws.account, aws.region)
        work.settle(aws, books, run, now)
        plan = make_plan(
            aws,
            aws.region,
            Wish(
                recipe=run.recipe,
                root=run.root,
                budget=dollars(budget),
                instance=instance,
                instances=instances,
                spot=spot,
                base_from=base_from,
                bucket=bucket,
            ),
        )
        if not plan.may_begin:
            raise SageMakerError(
                "refused:\n" + "\n".join(f"- {reason}" for reason in plan.reasons)
            )
        _packages(run, yes=yes, json=json)
        with tempfile.TemporaryDirectory() as folder, watching(quiet=json) as watcher:
            bundle = make_bundle(
                run, Path(folder), base_from=base_from, watcher=watcher
            )
            place = work.place_of(books.ledger, bucket, prefix, run.recipe.name, now)
            order = work.order_of(
                run, plan, bundle, place, role, options, base_from=base_from, now=now
            )
            if not yes or not json:
                say(_told(plan, bundle, place, order), err=True)
            if not yes:
                confirm("Send this and start the job?", abort=True, err=True)
            started = work.start(aws, books, run, bundle, place, order, watcher=watcher)
        text = (
            f"started {started.job}; {order.limits.told}\n"
            f"see it with: medassist finetune sagemaker status {run.root}"
        )
        show(started, text, json=json)
        if wait:
            follow(aws, books, run.root, err=json)


def _told(plan: Plan, bundle: Bundle, place: Place, order: Order) -> str:
    return (
        f"This leaves this computer for s3://{place.bucket}/{place.prefix} in "
        f"{plan.region} ({plan.country}), account {plan.account}, as far as it is not "
        f"there already:\n{bundle.told}\n"
        f"Then {order.name} is started on {plan.instances} x {plan.instance}: "
        f"{order.limits.told}"
    )


def _packages(run: Run, *, yes: bool, json: bool) -> None:
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


def _pairs(words: list[str]) -> dict[str, str]:
    from finetune.sagemaker.errors import SageMakerError

    pairs: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise SageMakerError(f"--tag {word}: NAME=VALUE was expected")
        pairs[name] = value
    return pairs
