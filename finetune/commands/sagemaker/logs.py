"""`finetune sagemaker logs`: what a job says, to its end if wished."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    opened_run,
)
from medassist.core.terminal import Proxy, say, show

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.resource_ledger import Books
    from finetune.sagemaker.watch import Status

POLL_S = 10.0


def logs(
    run: RunArgument,
    follow_it: Annotated[
        bool, typer.Option("--follow", "-f", help="Until the job has ended.")
    ] = False,
    since: Annotated[
        float | None,
        typer.Option("--since", metavar="MINUTES", min=0, help="Only the last ones."),
    ] = None,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    json: Json = False,
) -> None:
    """Print the log of a run's newest job, and in the end how the job is."""
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        first = int(1000 * (time.time() - 60 * since)) if since is not None else 0
        found = follow(
            opened.aws,
            opened.books,
            run,
            since=first,
            once=not follow_it,
            err=json,
        )
    from finetune.sagemaker.watch import told_status

    show(found, told_status(found), json=json)
    if found.status == "Failed":
        raise typer.Exit(1)


def follow(
    aws: Aws,
    books: Books,
    run: Path,
    *,
    since: int = 0,
    once: bool = False,
    err: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Status:
    """Print a job's log as it grows; its status at the end.

    Args:
        aws: the account.
        books: of the run, which learn what the job cost.
        run: the run folder.
        since: milliseconds since 1970, of the first line.
        once: only what is there now.
        err: on standard error, where standard output is for a program.
        sleep: waits between two looks.

    Raises:
        BrokenOff: Ctrl-C; the job goes on, and that is said.
    """
    from finetune.sagemaker.watch import last_job, log_lines, status

    made, tokens = last_job(books.ledger, run), dict[str, str]()
    with going_on(made.name, run):
        while True:
            found = status(aws, books, made, time.time())
            for line in log_lines(aws, made.name, tokens, since):
                say(line, err=err)
            if once or found.ended:
                return found
            sleep(POLL_S)


@contextmanager
def going_on(job: str, run: Path) -> Generator[None]:
    """Say on Ctrl-C that it is not the job that has stopped.

    Raises:
        BrokenOff: Ctrl-C.
    """
    from finetune.sagemaker.start import BrokenOff

    try:
        yield
    except KeyboardInterrupt:
        raise BrokenOff(
            f"no longer followed. The job {job} goes on and costs; end it with: "
            f"medassist finetune sagemaker stop {run}"
        ) from None
