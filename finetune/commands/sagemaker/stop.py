"""`finetune sagemaker stop`: end a job early, and keep what it has learned."""

from __future__ import annotations

from typing import Annotated

import typer

from finetune.commands.sagemaker.logs import follow
from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    account,
    ledger_of,
)
from medassist.core.terminal import Proxy, show


def stop(
    run: RunArgument,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it has ended: about three minutes.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Ask a run's newest job to end: it writes a checkpoint and its adapter."""
    ledger = ledger_of(run)
    with account(
        region or ledger.region, profile, instance_role=instance_role, proxy=proxy
    ) as aws:
        from finetune.sagemaker import watch as work
        from finetune.sagemaker.ledger import open_books

        books = open_books(run, aws.account, aws.region)
        made = work.last_job(books.ledger, run)
        asked = work.stop(aws, made.name)
        if wait:
            follow(aws, books, run, err=True)
    text = (
        f"{made.name} is told to stop; within two minutes it writes a checkpoint and "
        "its best adapter, and uploads them"
        if asked
        else f"{made.name} has ended already, or is ending"
    )
    show(
        {"job": made.name, "asked": asked},
        f"{text}. Get them with: medassist finetune sagemaker fetch {run}",
        json=json,
    )
