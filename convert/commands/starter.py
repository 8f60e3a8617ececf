"""`convert starter`: converts a starter pair to GGUF, and ships it in this clone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import room, say, watching
from medassist.core.words import size


def starter(
    run: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run folder that is finished.")
    ],
    ship_to: Annotated[
        Path | None,
        typer.Option(
            "--ship",
            metavar="DIR",
            help="Also make it the small pair in the package of this clone.",
        ),
    ] = None,
) -> None:
    """Convert a run of `medassist finetune starter` to GGUF, with a Modelfile.

    Each file is verified; what came out is in RUN/gguf/verify.json and on the card.
    """
    with room("convert"):
        from convert.starter_run import convert_run, ship, verify_run
    convert_run(run)
    with watching() as watcher:
        verify_run(run, watcher)
    say_where(run)
    if ship_to is not None:
        shipped = ship(run, ship_to)
        say(f"{shipped.folder}: {size(shipped.bytes)}")


def say_where(run: Path) -> None:
    """Print how to consult the pair of a converted run."""
    from medassist.core.run_folder import STARTER_ADAPTERS, STARTER_BASE

    gguf = run / "gguf"
    say(f"The models are in {gguf}. To consult them:")
    base, adapter = gguf / STARTER_BASE, gguf / STARTER_ADAPTERS["activated"]
    say(f"  medassist --base '{base}' --adapter '{adapter}'")
