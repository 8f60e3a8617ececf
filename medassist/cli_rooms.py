"""The commands that train models: `medassist finetune ...`.

Here are their options and nothing else; each room is imported when it is called,
and says what it lacks where the plain install has no torch. The verbs of
`medassist convert ...` are in `convert/commands`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

finetune = typer.Typer(
    help="Make models from text. Needs the extra `finetune` (torch).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class RoomError(Exception):
    """A room cannot be entered; the message says what to install."""


class Device(StrEnum):
    """Where a model is trained."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@contextmanager
def room(extra: str) -> Generator[None]:
    """Turn the lack of a room's libraries into a sentence.

    Raises:
        RoomError: a library of the extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("medassist", "convert", "finetune"):
            raise
        raise RoomError(
            f"This command needs {missing}, which the plain install leaves out. "
            f"Install it with: pip install 'medassist[{extra}]' (in a clone: make dev)."
        ) from None


@finetune.callback()
def _finetune() -> None:
    pass


@finetune.command()
def starter(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Text, one folder for each data set.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The run folder; it is made.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sizes, mix, rates; default: our own."),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where to train; auto takes a GPU if there is one.")
    ] = Device.AUTO,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what is in the run folder.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the processor.")
    ] = None,
) -> None:
    """Make a starter pair from text: tokenizer, base model, two adapters, GGUFs.

    Can take hours on a processor. Ctrl-C keeps what was learned; --resume goes on.
    """
    with room("all"):
        from convert.commands.starter import say_where
        from convert.starter_run import convert_run
        from finetune.starter.command import make_starter
    make_starter(
        data,
        out,
        recipe_file=recipe,
        device=device.value,
        resume=resume,
        threads=threads,
    )
    convert_run(out)
    say_where(out)
