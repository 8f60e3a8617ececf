"""`finetune sagemaker deploy`: base and tuned on an endpoint that goes by itself."""

from __future__ import annotations

import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.sagemaker.options import (
    PREFIX,
    BaseFrom,
    InstanceRole,
    Json,
    Prefix,
    Profile,
    Region,
    RunArgument,
    SecurityGroups,
    Subnets,
    Yes,
    account,
    pairs,
    region_of,
)
from medassist.core.terminal import Proxy, confirm, say, show, watching
from medassist.core.words import size

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.channel import InputChannel
    from finetune.sagemaker.hosting.deploy_plan import DeployPlan
    from finetune.sagemaker.resource_ledger import Books
    from finetune.sagemaker.start import RunPrefix


class EngineName(StrEnum):
    """Engine that answers."""

    VLLM = "vllm"
    LLAMA_CPP = "llama-cpp"


def deploy(
    run: RunArgument,
    hours: Annotated[
        float,
        typer.Option(
            "--hours",
            metavar="N",
            help="So long it stands, from 0.5 to 72; then it is deleted, whatever "
            "became of this computer.",
        ),
    ],
    role: Annotated[
        str,
        typer.Option(
            "--role", metavar="ARN", help="Of the endpoint: reads the bucket."
        ),
    ] = "",
    schedule_role: Annotated[
        str,
        typer.Option(
            "--schedule-role",
            metavar="ARN",
            help="Of the schedule that deletes the endpoint; EventBridge Scheduler "
            "takes it.",
        ),
    ] = "",
    engine: Annotated[
        EngineName,
        typer.Option(
            "--engine",
            help="vllm: base and adapter on a GPU. llama-cpp: the GGUFs of RUN/gguf, "
            "on a CPU too.",
        ),
    ] = EngineName.VLLM,
    instance: Annotated[
        str,
        typer.Option(
            "--instance",
            metavar="TYPE",
            help="By default ml.g5.2xlarge for vllm and ml.m5.xlarge for llama-cpp.",
        ),
    ] = "",
    budget: Annotated[
        str,
        typer.Option(
            "--budget",
            metavar="USD",
            help="Dollars for all of the run, its jobs and endpoints before this one "
            "included.",
        ),
    ] = "25",
    context: Annotated[
        int,
        typer.Option(
            "--context",
            metavar="N",
            min=64,
            help="Tokens of a question with its answer, as far as the base has them.",
        ),
    ] = 4096,
    gguf: Annotated[
        str | None,
        typer.Option(
            "--gguf",
            metavar="NAME",
            help="The base's file in RUN/gguf; by default the smallest.",
        ),
    ] = None,
    base_from: BaseFrom = None,
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="NAME",
            help="Of your own; by default medassist-ACCOUNT-REGION.",
        ),
    ] = None,
    prefix: Prefix = PREFIX,
    kms_key: Annotated[
        str | None,
        typer.Option(
            "--kms-key",
            metavar="ARN",
            help="Encrypts the instance's volume; one with a disk of its own takes "
            "none.",
        ),
    ] = None,
    subnets: Subnets = None,
    security_groups: SecurityGroups = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="NAME=VALUE", help="More tags of all of it."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="URI", help="Another image of the engine."),
    ] = None,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put base and tuned model on one endpoint, for a number of hours.

    The price and what it comes to at worst are told and asked first. The schedule that
    deletes the endpoint stands before it does. It is called ready once questions have
    shown that the tuned model is not the base; one that does not come so far is taken
    down again. `ask` and `compare` go on with it, `teardown` ends it earlier.
    """
    # What this computer can tell comes before an account is asked for.
    _is_there(run)
    _roles(role, schedule_role)
    where = region or region_of(run)
    with account(where, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker.bucket import default_bucket
        from finetune.sagemaker.errors import SageMakerError
        from finetune.sagemaker.hosting import deploy as work
        from finetune.sagemaker.hosting.deploy_plan import DeployWish, make_deploy_plan
        from finetune.sagemaker.hosting.requests import EndpointOrder
        from finetune.sagemaker.hosting.subject import SubjectWish
        from finetune.sagemaker.job_limits import dollars
        from finetune.sagemaker.job_request import JobOptions, job_name
        from finetune.sagemaker.option_checks import wrong
        from finetune.sagemaker.resource_ledger import open_books
        from finetune.sagemaker.start import place_of
        from finetune.train.training_folder import locked

        books = open_books(run, aws.account, aws.region)
        bucket, now = bucket or default_bucket(aws), time.time()
        _nothing_stands(aws, books, run)
        plan = make_deploy_plan(
            aws,
            DeployWish(
                root=run,
                hours=hours,
                engine=engine.value,
                instance=instance,
                budget=dollars(budget),
                bucket=bucket,
                image=image,
                subject=SubjectWish(context, base_from, gguf),
            ),
        )
        options = JobOptions(
            kms_key,
            tuple(subnets or ()),
            tuple(security_groups or ()),
            pairs(tags or []),
        )
        why = [*plan.reasons, *wrong(aws, options)]
        if plan.subject is None or why:
            raise SageMakerError("refused:\n" + "\n".join(f"- {each}" for each in why))
        name = run.resolve().name
        place = place_of(books.ledger, bucket, prefix, name, now)
        with (
            locked(run),
            tempfile.TemporaryDirectory() as scratch,
            watching(quiet=json) as watcher,
        ):
            channels = plan.subject.channels(Path(scratch), watcher)
            order = EndpointOrder(
                name=job_name(name, now),
                run=place.own,
                region=aws.region,
                role=role,
                schedule_role=schedule_role,
                image=plan.image,
                instance=plan.instance,
                subject=plan.subject,
                addresses=work.addresses(channels, place, base_from),
                sent=sum(each.size for each in channels),
                options=options,
            )
            if not yes or not json:
                say(_told(plan, place, channels), err=True)
            if not yes:
                confirm("Send this and put the endpoint up?", abort=True, err=True)
            found = work.deploy(
                aws, books, plan, order, channels, place, watcher=watcher
            )
    text = (
        f"{found.endpoint} answers: tuned differs from base in its {found.told_apart}. "
        f"It costs ${found.price.normalize():f} an hour until {work.utc(found.until)}, "
        f"when it is deleted (at worst ${found.worst:.2f})\n"
        f"ask it: medassist finetune sagemaker ask {run} QUESTION --both\n"
        f"end it: medassist finetune sagemaker teardown {run}"
    )
    show(found, text, json=json)


def _is_there(run: Path) -> None:
    """The folder is one of a run.

    Raises:
        SageMakerError: it is not.
    """
    from finetune.sagemaker.errors import SageMakerError
    from medassist.core.run_folder import RunFolder

    if not RunFolder(run).recipe_file.is_file():
        found = "holds no recipe.yaml" if run.is_dir() else "is not there"
        raise SageMakerError(
            f"{run} {found}; a run folder was expected, as `medassist finetune train "
            "RECIPE --out FOLDER` makes it"
        )


def _nothing_stands(aws: Aws, books: Books, run: Path) -> None:
    """No second endpoint of a run, which would cost beside the first.

    Raises:
        SageMakerError: there is one.
    """
    from finetune.sagemaker.errors import SageMakerError
    from finetune.sagemaker.hosting.endpoint import look

    for made in books.ledger.of("endpoint"):
        if made.state != "gone" and look(aws, books, made) is not None:
            raise SageMakerError(
                f"{run} has the endpoint {made.name} already. Ask it, or end it first "
                f"with: medassist finetune sagemaker teardown {run}"
            )


def _roles(role: str, schedule_role: str) -> None:
    from finetune.sagemaker.errors import SageMakerError

    if not role:
        raise SageMakerError(
            "an endpoint needs a role that reads the bucket and pulls the image: name "
            "its ARN by --role. `medassist finetune sagemaker role --bucket BUCKET` "
            "shows it, and makes it"
        )
    if not schedule_role:
        raise SageMakerError(
            "no endpoint is put up without its end: name by --schedule-role the ARN of "
            "a role that EventBridge Scheduler may take and that may delete endpoints. "
            "`medassist finetune sagemaker role --bucket BUCKET` shows it, and makes it"
        )


def _told(plan: DeployPlan, place: RunPrefix, channels: list[InputChannel]) -> str:
    from finetune.sagemaker.hosting.deploy_plan import told_plan

    what = "\n".join(
        f"  {each.name:<7} {size(each.size):>9}  {each.about}" for each in channels
    )
    return (
        f"{told_plan(plan)}\nThis leaves this computer for s3://{place.bucket}/"
        f"{place.prefix} in {plan.region} ({plan.country}), account {plan.account}, as "
        f"far as it is not there already:\n{what}"
    )
