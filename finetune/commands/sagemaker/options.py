"""What the verbs of `finetune sagemaker` have in common: who works where."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.terminal import room, say

if TYPE_CHECKING:
    from finetune.sagemaker.ledger import Ledger
    from finetune.sagemaker.session import Aws

EXTRAS = "finetune,sagemaker"
Region = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="Where the data lies and is worked on; by default the profile's. None is "
        "taken by itself.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="A profile of ~/.aws/config."),
]
InstanceRole = Annotated[
    bool,
    typer.Option(
        "--instance-role",
        help="On EC2: take the credentials of the computer's own role.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="The run folder: runs/NAME.")
]


@contextmanager
def account(
    region: str | None,
    profile: str | None,
    *,
    instance_role: bool = False,
    proxy: str | None = None,
) -> Generator[Aws]:
    """The account that the options of a verb mean, for as long as it is worked in.

    Raises:
        SageMakerError: no region, no such profile, no credentials.
    """
    with room(EXTRAS):
        import boto3  # noqa: F401

        from finetune.sagemaker.session import Wish, opened
        from medassist.core.settings_file import way_out
    wish = Wish(region, profile, instance_role, way_out(proxy))
    with opened(wish, lambda text: say(text, err=True)) as aws:
        yield aws


def ledger_of(run: Path) -> Ledger:
    """The ledger of a run.

    Raises:
        SageMakerError: nothing was made for it.
    """
    from finetune.sagemaker.errors import NotThere
    from finetune.sagemaker.ledger import FILE, read_ledger

    ledger = read_ledger(run)
    if ledger is None:
        raise NotThere(
            f"{run / FILE} is not there: nothing was made in an account for {run}"
        )
    return ledger
