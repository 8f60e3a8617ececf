"""Shared options of the verbs of `finetune sagemaker`: account, region, instance."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.terminal import room, say

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.resource_ledger import Books, Made, ResourceLedger

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
# What `plan` is asked for, and `train` as well: it refuses by the same plan.
Recipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A recipe (YAML), the name of one that comes with the program, or a run "
        "folder.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="RUN", help="The run folder; by default runs/NAME."),
]
Budget = Annotated[
    str, typer.Option("--budget", metavar="USD", help="Dollars for all of it.")
]
Instance = Annotated[
    str, typer.Option("--instance", metavar="TYPE", help="The type of instance.")
]
Instances = Annotated[
    int, typer.Option("--instances", metavar="N", min=1, help="How many of them.")
]
Spot = Annotated[
    bool,
    typer.Option(
        "--spot", help="Spare instances: cheaper, and taken away at any time."
    ),
]
Hours = Annotated[
    float,
    typer.Option(
        "--hours",
        metavar="N",
        min=0,
        help="Set so many hours of an endpoint on the same type of instance aside in "
        "the budget, for `deploy` afterwards.",
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        "--tokens",
        metavar="N",
        min=1,
        help="Tokens of an epoch, where the data is not prepared yet, or to guess "
        "better than by its size.",
    ),
]
BaseFrom = Annotated[
    str | None,
    typer.Option(
        "--base-from",
        metavar="S3|FOLDER",
        help="The base, where it does not lie where the recipe says.",
    ),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "--bucket",
        metavar="NAME",
        help="Of your own; by default medassist-ACCOUNT-REGION. `train` makes it, "
        "closed to the public, where it is not there.",
    ),
]
# Of `train` and `deploy`, which both send and make something.
Prefix = Annotated[
    str, typer.Option("--prefix", metavar="PREFIX", help="Under which all of it lies.")
]
Subnets = Annotated[
    list[str] | None,
    typer.Option("--subnet", metavar="ID", help="Of a network of your own."),
]
SecurityGroups = Annotated[
    list[str] | None,
    typer.Option("--security-group", metavar="ID", help="Of that network."),
]
PREFIX = "medassist"
BUDGET, INSTANCE, HOURS = "25", "ml.g5.2xlarge", 2.0


@dataclass(frozen=True)
class OpenRun:
    """A run that something was made for in an account, opened."""

    run: Path
    aws: Aws
    books: Books

    @property
    def job(self) -> Made:
        """Its newest job.

        Raises:
            SageMakerError: it has none.
        """
        from finetune.sagemaker.watch import last_job

        return last_job(self.books.ledger, self.run)


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

        from finetune.sagemaker.aws_session import SessionRequest, opened
        from medassist.core.settings_file import way_out
    wish = SessionRequest(region, profile, instance_role, way_out(proxy))
    with opened(wish, lambda text: say(text, err=True)) as aws:
        yield aws


@contextmanager
def opened_run(
    run: Path,
    region: str | None,
    profile: str | None,
    *,
    instance_role: bool = False,
    proxy: str | None = None,
) -> Generator[OpenRun]:
    """A run's ledger, and the account that it tells of, while it is worked in.

    Raises:
        SageMakerError: nothing was made for the run, or the account is another one.
    """
    where = region or ledger_of(run).region
    with account(where, profile, instance_role=instance_role, proxy=proxy) as aws:
        from finetune.sagemaker.resource_ledger import open_books

        yield OpenRun(run, aws, open_books(run, aws.account, aws.region))


def ledger_of(run: Path) -> ResourceLedger:
    """The ledger of a run.

    Raises:
        SageMakerError: nothing was made for it.
    """
    from finetune.sagemaker.errors import ResourceMissing
    from finetune.sagemaker.resource_ledger import FILE, read_ledger

    ledger = read_ledger(run)
    if ledger is None:
        raise ResourceMissing(
            f"{run / FILE} is not there: nothing was made in an account for {run}"
        )
    return ledger


def region_of(run: Path) -> str | None:
    """Region of a run's resources; None where nothing was made for it yet."""
    with room(EXTRAS):
        from finetune.sagemaker.resource_ledger import read_ledger
    ledger = read_ledger(run)
    return ledger.region if ledger is not None else None


def pairs(words: list[str]) -> dict[str, str]:
    """Tags as they are typed: NAME=VALUE.

    Raises:
        SageMakerError: one is not of this form.
    """
    from finetune.sagemaker.errors import SageMakerError

    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise SageMakerError(f"--tag {word}: NAME=VALUE was expected")
        found[name] = value
    return found
