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
    opened_run,
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
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        from finetune.sagemaker.watch import stop as end

        job = opened.job.name
        asked = end(opened.aws, job)
        if wait:
            follow(opened.aws, opened.books, run, err=True)
    text = (
        f"{job} is told to stop; within two minutes it writes a checkpoint and "
        "its best adapter, and uploads them"
        if asked
        else f"{job} has ended already, or is ending"
    )
    show(
        {"job": job, "asked": asked},
        f"{text}. Get them with: medassist finetune sagemaker fetch {run}",
        json=json,
    )
