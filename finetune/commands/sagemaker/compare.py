"""`finetune sagemaker compare`: held-out questions to both sides of an endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from finetune.commands.evaluate import told_evaluation
from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    Yes,
    opened_run,
)
from medassist.core.terminal import Proxy, confirm, say, show, watching
from medassist.core.words import plural


def compare(
    run: RunArgument,
    generate: Annotated[
        int | None,
        typer.Option(
            "--generate",
            min=1,
            metavar="N",
            help="Held-out questions to ask; by default the recipe's, 50.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Held-out part of the data; default: test, or validation where the "
            "data has no test part.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Of the bootstrap, and of sampling."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Replace an evaluation that was made on this computer."
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask both sides of the endpoint a run's held-out questions, and compare them.

    What it finds goes into RUN/evaluation.json, as `evaluate` writes it, without the
    losses and exams that need the models here. How many questions leave, and to which
    country, is told and asked first. Broken off, the same call goes on with what was
    answered; it stops in time where the endpoint would go before its end.
    """
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        from finetune.evaluate.answers import questions, stoppable
        from finetune.evaluate.recipe import part_of
        from finetune.sagemaker import places
        from finetune.sagemaker.errors import SageMakerError
        from finetune.sagemaker.hosting import endpoint_comparison
        from finetune.sagemaker.hosting.endpoint import opened_endpoint
        from finetune.sagemaker.obstacles import identified
        from medassist.core.run_folder import RunFolder

        aws, folder = opened.aws, RunFolder(run)
        wishes = {"split": split, "generate": generate, "seed": seed}
        given = {key: value for key, value in wishes.items() if value is not None}
        part = part_of(run).model_copy(update=given)
        endpoint_comparison.check_kept(folder, replace=replace)
        data = endpoint_comparison.held_out(folder, part, exactly=split is not None)
        why = list(identified(run))
        if why:
            raise SageMakerError("refused:\n" + "\n".join(f"- {each}" for each in why))
        found = opened_endpoint(aws, opened.books, folder)
        count = len(questions(data.records, part.generate))
        text = (
            f"{count} {plural(count, 'question')} of data/{data.split}.jsonl "
            f"{'leaves' if count == 1 else 'leave'} this computer for {aws.region} "
            f"({places.country(aws.region)}), account {aws.account}"
        )
        if not yes:
            confirm(f"{text}. Ask them?", abort=True, err=True)
        elif not json:
            say(text, err=True)
        with (
            stoppable(run, "sagemaker compare"),
            watching(quiet=json) as watcher,
        ):
            result = endpoint_comparison.compare(
                found, folder, part, data, region=aws.region, watcher=watcher
            )
    show(result, told_evaluation(run, result), json=json)
