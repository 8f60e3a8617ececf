"""The commands that two rooms share: `medassist finetune starter`.

A room's own verbs are in `finetune/commands` and `convert/commands`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finetune.commands import app as finetune
from medassist.core.terminal import room, watching


class TrainingDevice(StrEnum):
    """Device to train a model on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


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
        TrainingDevice,
        typer.Option(help="Where to train; auto takes a GPU if there is one."),
    ] = TrainingDevice.AUTO,
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
        from convert.starter_run import convert_run, verify_run
        from finetune.starter.make_starter import make_starter
    make_starter(
        data,
        out,
        recipe_file=recipe,
        device=device.value,
        resume=resume,
        threads=threads,
    )
    convert_run(out)
    with watching() as watcher:
        verify_run(out, watcher)
    say_where(out)
