"""`finetune sagemaker status`: how a run's job is, and what it has cost."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from finetune.commands.sagemaker.logs import POLL_S
from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    account,
    ledger_of,
)
from medassist.core.terminal import Proxy, say, show


def status(
    run: RunArgument,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again, until it has ended.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Show how a run's newest job is: state, figures, checkpoint, money."""
    ledger = ledger_of(run)
    with account(
        region or ledger.region, profile, instance_role=instance_role, proxy=proxy
    ) as aws:
        from finetune.sagemaker import watch as work
        from finetune.sagemaker.ledger import open_books

        books = open_books(run, aws.account, aws.region)
        made = work.last_job(books.ledger, run)
        found = work.status(aws, books, made, time.time())
        while watch and not found.ended:
            say(work.told_status(found), err=json)
            time.sleep(POLL_S)
            made = work.last_job(books.ledger, run)
            found = work.status(aws, books, made, time.time())
    show(found, work.told_status(found), json=json)
