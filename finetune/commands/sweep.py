"""`finetune sweep`: one recipe with several settings, and which is best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import room, say, show


def sweep(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="As for `finetune train`: what the trials vary.",
        ),
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUES]...", help="More of what --grid takes."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=VALUES",
            help="What to vary: lr=1e-4,2e-4 r=8,16,32. Keys are lr, r, alpha, "
            "dropout, epochs, ..., or a recipe's own, such as train.warm_up.",
        ),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(
            "--search",
            metavar="N",
            min=1,
            help="Search with N trials (Optuna) instead of trying all; keys may be "
            "ranges: lr=2e-5..5e-4.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="RUN", help="The folder with the prepared data."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a sweep that was broken off.")
    ] = False,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to train.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Of a CPU.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the trials as JSON.")
    ] = False,
) -> None:
    """Train a recipe with several settings; the lowest validation loss is best.

    Each trial is a run folder of its own, RUN/trials/NN, that can be evaluated and
    reported. Ctrl-C keeps what is done; --resume goes on.
    """
    with room("finetune"):
        from finetune.errors import FinetuneError
        from finetune.sweep.space import DEFAULT_SEARCH, read_axes
        from finetune.sweep.trials import sweep as run_sweep
        from finetune.train.training_folder import locked, open_run
    words = [*(grid or ()), *(more or ())]
    if not words and search is None:
        raise FinetuneError(
            "nothing to vary: say --grid lr=1e-4,2e-4 r=8,16,32, or --search N"
        )
    words = words or list(DEFAULT_SEARCH)
    axes = read_axes(words)
    folder = open_run(recipe, out, resume=True, change=False)
    options = ["--device", device]
    if threads:
        options += ["--threads", str(threads)]

    def tell(line: str) -> None:
        if not json:
            say(line, err=True)

    with locked(folder.root):
        found = run_sweep(
            folder, axes, words, search, options, resume=resume, tell=tell
        )
    best = found.best
    text = found.table()
    if best is not None:
        text += f"\nbest: {folder.root / best.folder}"
    show(found, text, json=json)
