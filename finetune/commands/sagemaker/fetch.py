"""`finetune sagemaker fetch`: a job's result into the run folder."""

from __future__ import annotations

from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    opened_run,
)
from medassist.core.terminal import Proxy, show, watching
from medassist.core.words import size


def fetch(
    run: RunArgument,
    checkpoint: Annotated[
        bool,
        typer.Option(
            "--checkpoint",
            help="The newest checkpoint instead, at any time; `finetune train RUN "
            "--resume` goes on from it here.",
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Fetch what a run's newest job has learned; then it is a run of this computer.

    `evaluate`, `report` and `convert run` go on with it.
    """
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        from finetune.sagemaker import collect
        from finetune.sagemaker.watch import describe
        from finetune.train.training_folder import locked, open_run

        job = describe(opened.aws, opened.job.name)
        folder = open_run(str(run), None, resume=True, change=False)
        work = collect.fetch_checkpoint if checkpoint else collect.fetch_result
        with locked(folder.root), watching(quiet=json) as watcher:
            found = work(opened.aws, job, folder, watcher)
    if found.checkpoint is not None:
        text = (
            f"the checkpoint of step {found.checkpoint:,} is in {run}; go on here "
            f"with: medassist finetune train {run} --resume"
        )
    else:
        text = f"{size(found.bytes)} are in {run}; medassist finetune evaluate {run}"
    show(found, text, json=json)
