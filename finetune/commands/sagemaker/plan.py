"""`finetune sagemaker plan`: what it would take and cost, before anything is made."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    BUDGET,
    EXTRAS,
    HOURS,
    INSTANCE,
    BaseFrom,
    Bucket,
    Budget,
    Hours,
    Instance,
    InstanceRole,
    Instances,
    Json,
    Out,
    Profile,
    Recipe,
    Region,
    Spot,
    Tokens,
    account,
)
from medassist.core.terminal import Proxy, room, show
from medassist.core.validated import to_json


class ExportFormat(StrEnum):
    """Other formats for a plan."""

    request = "request"
    skypilot = "skypilot"


def plan(
    recipe: Recipe,
    out: Out = None,
    budget: Budget = BUDGET,
    instance: Instance = INSTANCE,
    instances: Instances = 1,
    spot: Spot = False,
    hours: Hours = HOURS,
    tokens: Tokens = None,
    base_from: BaseFrom = None,
    bucket: Bucket = None,
    export: Annotated[
        ExportFormat | None,
        typer.Option(
            "--export",
            help="Instead of the plan: the request of the job as JSON, or a task for "
            "SkyPilot, which rents a plain computer.",
        ),
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
        from finetune.sagemaker import hosts, plan_export
        from finetune.sagemaker.errors import NO_REGION, SageMakerError
        from finetune.sagemaker.job_limits import dollars
        from finetune.sagemaker.training_plan import PlanRequest, make_plan
        from finetune.sagemaker.training_plan_words import told
        from finetune.train.training_folder import root_of
    file = find_recipe(recipe)
    wish = PlanRequest(
        recipe=read_recipe(file),
        root=root_of(recipe, out),
        budget=dollars(budget),
        instance=instance,
        instances=instances,
        spot=spot,
        hours=hours,
        tokens_per_epoch=tokens,
        base_from=base_from,
        bucket=bucket,
    )
    if offline:
        if not region:
            raise SageMakerError(NO_REGION)
        if export is ExportFormat.request:
            raise SageMakerError(
                "a request names the account: leave out --offline for --export request"
            )
        made = make_plan(None, hosts.check_region(region), wish)
    else:
        with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
            made = make_plan(aws, aws.region, wish)
            if export is ExportFormat.request:
                asked = plan_export.as_request(aws, made, wish, time.time())
                show(asked, to_json(asked), json=json)
                return
    if export is ExportFormat.skypilot:
        task = plan_export.as_skypilot(made, wish, file)
        show({"task": task}, task.rstrip("\n"), json=json)
        return
    show(made, told(made), json=json)
    if not made.may_begin:
        raise typer.Exit(1)
