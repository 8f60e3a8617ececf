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
    ledger_of,
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
            help="Look through the region for whatever else costs by the hour, whoever "
            "made it.",
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Add up what a run has cost so far, at worst, and each month from now on."""
    if run is None and not everything:
        raise typer.BadParameter("name a run folder, or say --all", param_hint="RUN")
    ledger = ledger_of(run) if run is not None else None
    where = region or (ledger.region if ledger is not None else None)
    with account(where, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker.costs import costs, told_costs
        from finetune.sagemaker.ledger import Ledger, check_same

        if run is not None and ledger is not None:
            check_same(run, ledger, aws.account, aws.region)
        else:
            ledger = Ledger(account=aws.account, region=aws.region)
        found = costs(aws, ledger, time.time(), everything=everything)
    show(found, told_costs(found), json=json)
