"""`medassist` without a command: the consult screen."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist import __version__
from medassist.commands.options import (
    AdapterFile,
    BaseFile,
    GpuLayers,
    Kv,
    ModeName,
    PairName,
    Threads,
    TunedFile,
    expect_one_way,
)
from medassist.core.terminal import say


def _version(wanted: bool) -> None:
    if wanted:
        say(f"medassist {__version__}")
        raise typer.Exit


def consult(
    context: typer.Context,
    base: BaseFile = None,
    tuned: TunedFile = None,
    adapter: AdapterFile = None,
    pair: PairName = None,
    mode: Annotated[
        ModeName | None,
        typer.Option(help="Both panes at once, or one after the other."),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option("--context", min=64, help="Tokens that each pane can hold."),
    ] = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: Kv = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    """Open the consult screen, unless there is a command."""
    context.obj = debug
    if context.invoked_subcommand:
        said = (base, tuned, adapter, pair, mode, tokens, threads, kv)
        if any(said) or gpu_layers:
            raise typer.BadParameter(
                "these options open the screen; for "
                f"`{context.invoked_subcommand}`, write its own after it"
            )
        return
    expect_one_way(pair, base, tuned, adapter)
    from medassist.tui.app import run

    code = run(
        base,
        tuned,
        adapter,
        pair=pair,
        mode=mode.value if mode else None,
        context=tokens,
        threads=threads,
        gpu_layers=gpu_layers,
        kv=kv.value if kv else None,
        debug=debug,
    )
    raise typer.Exit(code)
