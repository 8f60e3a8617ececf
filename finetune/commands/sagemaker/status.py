"""`finetune sagemaker status`: how a run's job is, and what it has cost."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from finetune.commands.sagemaker.logs import POLL_S, going_on
from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    opened_run,
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
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        from finetune.sagemaker.watch import status as look
        from finetune.sagemaker.watch import told_status

        found = look(opened.aws, opened.books, opened.job, time.time())
        with going_on(found.job, run):
            while watch and not found.ended:
                say(told_status(found), err=json)
                time.sleep(POLL_S)
                found = look(opened.aws, opened.books, opened.job, time.time())
    show(found, told_status(found), json=json)
