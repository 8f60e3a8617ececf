"""`finetune sagemaker plan`: what it would take and cost, before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    EXTRAS,
    InstanceRole,
    Json,
    Profile,
    Region,
    account,
)
from medassist.core.terminal import Proxy, room, show


def plan(
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
    budget: Annotated[
        str,
        typer.Option("--budget", metavar="USD", help="Dollars for all of it."),
    ] = "25",
    instance: Annotated[
        str,
        typer.Option("--instance", metavar="TYPE", help="The type of instance."),
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
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            metavar="N",
            min=1,
            help="Tokens of an epoch, where the data is not prepared yet.",
        ),
    ] = None,
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
        typer.Option("--bucket", metavar="NAME", help="Look whether it may be used."),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Ask nobody: prices of the program's own table, no quota. Needs "
            "--region and no account.",
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Say what a training would take and cost; nothing is made, nothing is sent.

    Price, time, memory, quota, image, the limits that keep it under the budget, and
    whatever stands in its way: then the exit code is 1.
    """
    with room(EXTRAS):
        from finetune.recipe import find_recipe, read_recipe
        from finetune.sagemaker import hosts
        from finetune.sagemaker.errors import NO_REGION, SageMakerError
        from finetune.sagemaker.limits import dollars
        from finetune.sagemaker.plan import Wish, make_plan
        from finetune.sagemaker.plan_words import told
        from finetune.train.training_folder import root_of
    wish = Wish(
        recipe=read_recipe(find_recipe(recipe)),
        root=root_of(recipe, out),
        budget=dollars(budget),
        instance=instance,
        instances=instances,
        spot=spot,
        tokens_per_epoch=tokens,
        base_from=base_from,
        bucket=bucket,
    )
    if offline:
        if not region:
            raise SageMakerError(NO_REGION)
        made = make_plan(None, hosts.check_region(region), wish)
    else:
        with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
            made = make_plan(aws, aws.region, wish)
    show(made, told(made), json=json)
    if not made.may_begin:
        raise typer.Exit(1)
