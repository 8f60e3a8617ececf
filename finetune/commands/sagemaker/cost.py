"""`finetune sagemaker cost`: what a run has cost, and what still costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    account,
    opened_run,
)
from medassist.core.terminal import Proxy, show


def cost(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="The run folder; without it see --all."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="All runs, found by their tags, and whatever else costs by the hour "
            "in the region, whoever made it.",
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Add up what a run has cost so far, at worst, and each month from now on."""
    if (run is None) != everything:
        raise typer.BadParameter("name a run folder, or say --all", param_hint="RUN")
    who = {"instance_role": instance_role, "proxy": proxy}
    if run is not None:
        with opened_run(run, region, profile, **who) as opened:
            from finetune.sagemaker.costs import costs

            found = costs(opened.aws, opened.books.ledger, time.time())
    else:
        with account(region, profile, **who) as aws:
            from finetune.sagemaker.costs import costs_of_all

            found = costs_of_all(aws, time.time())
    from finetune.sagemaker.costs import told_costs

    show(found, told_costs(found), json=json)
