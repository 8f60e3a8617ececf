"""`finetune sagemaker role`: the rights that a run needs, shown or made."""

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
            "--create/--print", help="Make the roles, or show their policies alone."
        ),
    ] = False,
    name: Annotated[
        str,
        typer.Option(
            "--name",
            metavar="ROLE",
            help="Of the training's role; the others are ROLE-hosting, ROLE-schedule.",
        ),
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
    """Show the policies of the roles that a run needs, or make the roles.

    One for training jobs, one for endpoints, one for the schedule that deletes an
    endpoint; each with who may take it and what it may. And what the one may who starts
    them. Nothing is made without --create.
    """
    with account(region, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker.policies import TASKS, RoleScope, policies
        from finetune.sagemaker.resource_ledger import open_books
        from finetune.sagemaker.role import create_roles
        from medassist.core.validated import to_json

        scope = RoleScope(aws.region, aws.account, bucket, prefix.strip("/"), kms, vpc)
        found = policies(scope, name)
        if not create:
            show(found, to_json(found), json=json)
            return
        roles = [found.of(task) for task in TASKS]
        say(to_json(roles), err=True)
        if not yes:
            names = ", ".join(role.name for role in roles)
            confirm(
                f"Make the roles {names} with these policies in account {aws.account}?",
                abort=True,
                err=True,
            )
        books = open_books(run, aws.account, aws.region) if run is not None else None
        arns = create_roles(aws, scope, name, books)
    lines = [f"{arn}  ({task})" for task, arn in arns.items()]
    show(
        {"arn": arns["training"], "name": name, "arns": arns},
        "\n".join([*lines, "name the first to `train` by --role"]),
        json=json,
    )
