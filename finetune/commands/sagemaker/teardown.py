"""`finetune sagemaker teardown`: what was made in the account goes again."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    Yes,
    account,
    opened_run,
)
from medassist.core.terminal import Proxy, confirm, say, show

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.resource_ledger import Books


def teardown(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="The run folder; without it see --all."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Of all runs in the region, found by their tags: for when a ledger "
            "is lost.",
        ),
    ] = False,
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
    if (run is None) != everything:
        raise typer.BadParameter("name a run folder, or say --all", param_hint="RUN")
    who = {"instance_role": instance_role, "proxy": proxy}
    with _opened(run, region, profile, **who) as (aws, books):
        from finetune.sagemaker.teardown import How, take_down, told_steps

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


@contextmanager
def _opened(
    run: Path | None, region: str | None, profile: str | None, **who: Any
) -> Generator[tuple[Aws, Books]]:
    """The account, and the books of the run; or of all runs, as the tags tell them."""
    if run is not None:
        with opened_run(run, region, profile, **who) as opened:
            yield opened.aws, opened.books
        return
    with (
        account(region, profile, **who) as aws,
        tempfile.TemporaryDirectory() as folder,
    ):
        from finetune.sagemaker.resource_ledger import FILE, Books
        from finetune.sagemaker.tagged import find

        found = find(aws, ended=False)
        for other in found.others:
            say(f"left alone: {other}", err=True)
        yield aws, Books(Path(folder) / FILE, found.ledger)
