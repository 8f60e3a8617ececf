"""`finetune sagemaker ask`: a question to the endpoint of a run."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from finetune.commands.sagemaker.options import (
    InstanceRole,
    Json,
    Profile,
    Region,
    RunArgument,
    Yes,
    opened_run,
)
from medassist.core.terminal import Proxy, confirm, say, show

if TYPE_CHECKING:
    from finetune.sagemaker.aws_session import Aws
    from finetune.sagemaker.hosting.leaving import Leaving
    from finetune.sagemaker.hosting.question import Side

MOST_BYTES = 1024 * 1024
"""Most bytes of a question; more than any context holds."""


class Only(StrEnum):
    """Side that is asked alone."""

    BASE = "base"
    TUNED = "tuned"


def ask(
    run: RunArgument,
    question: Annotated[
        str,
        typer.Argument(
            help="The question; - reads it from standard input, which keeps it out of "
            "the shell's history and of the list of processes."
        ),
    ],
    both: Annotated[
        bool, typer.Option("--both", help="Ask the base too, and print both answers.")
    ] = False,
    only: Annotated[
        Only | None, typer.Option("--only", help="Ask one of them; by default tuned.")
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="TEXT", help="A system message.")
    ] = None,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", metavar="N", min=1, help="Longest answer.")
    ] = 256,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", min=0.0, max=2.0, help="0 takes the likeliest token."
        ),
    ] = 0.0,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="Of the sampling.")
    ] = 0,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Put marks where the question may say who the patient is.",
        ),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    instance_role: InstanceRole = False,
    proxy: Proxy = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put a question to the endpoint of a run: to the tuned model, the base, or both.

    To which region and country it goes is told, and what in it may say who the patient
    is; where there is something, it is asked whether it may leave. Answers are printed
    as they are written.
    """
    if both and only is not None:
        raise typer.BadParameter("say --both or --only, not both", param_hint="--only")
    text = _read(question)
    with opened_run(
        run, region, profile, instance_role=instance_role, proxy=proxy
    ) as opened:
        from finetune.data.prepared_records import RecordMessage
        from finetune.sagemaker.hosting.endpoint import opened_endpoint
        from finetune.sagemaker.hosting.endpoint_answers import AskedBoth, answers
        from finetune.sagemaker.hosting.leaving import looked
        from finetune.sagemaker.hosting.question import SIDES, EndpointQuestion
        from medassist.core.run_folder import RunFolder

        aws = opened.aws
        texts = [text] if system is None else [text, system]
        leaving = looked(texts, replace=replace)
        _may_leave(leaving, aws, yes=yes)
        found = opened_endpoint(aws, opened.books, RunFolder(run))
        text, *rest = leaving.texts
        opening = [RecordMessage(role="system", content=each) for each in rest]
        sides: tuple[Side, ...] = SIDES if both else ((only or Only.TUNED).value,)
        asked = EndpointQuestion(
            (*opening, RecordMessage(role="user", content=text)),
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
        )
        out = None if json else sys.stdout
        written = answers(found, sides, asked, out)
        result = AskedBoth(found.made.name, aws.region, text, written)
    if json:
        show(result, "", json=True)


def _may_leave(leaving: Leaving, aws: Aws, *, yes: bool) -> None:
    from finetune.sagemaker import places

    say(
        f"it goes to {aws.region} ({places.country(aws.region)}), account "
        f"{aws.account}",
        err=True,
    )
    if leaving.told:
        say(leaving.told, err=True)
    if leaving.doubtful and not yes:
        confirm("Let it leave this computer as it stands?", abort=True, err=True)


def _read(question: str) -> str:
    from finetune.sagemaker.errors import SageMakerError
    from medassist.core.files import without_line_end

    if question == "-":
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise SageMakerError("the question on standard input is longer than 1 MiB")
        try:
            question = without_line_end(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise SageMakerError(
                f"the question on standard input is not UTF-8 ({error.reason} at byte "
                f"{error.start:,})"
            ) from None
    if not question.strip():
        raise SageMakerError("the question is empty; write one, or - to read it")
    return question
