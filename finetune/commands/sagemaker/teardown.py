"""`finetune sagemaker teardown`: what was made in the account goes again."""

from __future__ import annotations

from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    Yes,
    account,
    ledger_of,
)
from medassist.core.terminal import Proxy, confirm, say, show


def teardown(
    run: RunArgument,
    data: Annotated[
        bool,
        typer.Option(
            "--data",
            help="Delete what lies in S3 as well: data, checkpoints, a model that was "
            "not fetched.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Stop and delete what was made in the account for a run.

    RUN/sagemaker.json tells what that is. It can be called again and again; the exit
    code is 1 where something may still be there.
    """
    ledger = ledger_of(run)
    with account(
        region or ledger.region, profile, instance_role=instance_role, proxy=proxy
    ) as aws:
        from finetune.sagemaker.ledger import open_books
        from finetune.sagemaker.teardown import How, take_down, told_steps

        books = open_books(run, aws.account, aws.region)
        foreseen = take_down(aws, books, How(data=data, dry_run=True))
        if dry_run or not foreseen.steps:
            show(foreseen, told_steps(foreseen), json=json)
            return
        if not yes:
            say(told_steps(foreseen), err=True)
            confirm(f"Do this in account {aws.account}?", abort=True, err=True)
        taken = take_down(aws, books, How(data=data))
    show(taken, told_steps(taken), json=json)
    if taken.failed:
        raise typer.Exit(1)
