"""`finetune sagemaker role`: the rights that a training needs, shown or made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    Yes,
    account,
)
from medassist.core.terminal import Proxy, confirm, say, show


def role(
    bucket: Annotated[
        str,
        typer.Option("--bucket", metavar="NAME", help="The bucket of the runs."),
    ],
    create: Annotated[
        bool,
        typer.Option(
            "--create", help="Make the role; without it the policies are shown."
        ),
    ] = False,
    name: Annotated[
        str, typer.Option("--name", metavar="ROLE", help="Of the role.")
    ] = "medassist-sagemaker",
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix", metavar="PREFIX", help="Under which the runs lie in the bucket."
        ),
    ] = "medassist",
    kms: Annotated[
        str,
        typer.Option("--kms", metavar="ARN", help="The key that encrypts the bucket."),
    ] = "",
    vpc: Annotated[
        bool, typer.Option("--vpc", help="The job runs in a network of your own.")
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Make it for this run alone: `teardown` deletes it.",
        ),
    ] = None,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Show the policies of a training job's role, or make the role.

    Three: who may take the role (SageMaker, for this account), what it may, and what
    the one who starts the job may. Nothing is made without --create.
    """
    with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker.ledger import open_books
        from finetune.sagemaker.role import Scope, create_role, policies
        from medassist.core.validated import to_json

        scope = Scope(aws.region, aws.account, bucket, prefix.strip("/"), kms, vpc)
        found = policies(scope, name)
        if not create:
            show(found, to_json(found), json=json)
            return
        say(to_json({"trust": found.trust, "role": found.role}), err=True)
        if not yes:
            confirm(
                f"Make the role {name} with these policies in account {aws.account}?",
                abort=True,
                err=True,
            )
        books = open_books(run, aws.account, aws.region) if run is not None else None
        arn = create_role(aws, scope, name, books)
    show({"arn": arn, "name": name}, f"{arn}\nname it to `train` by --role", json=json)
