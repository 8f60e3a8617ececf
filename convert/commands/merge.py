"""`convert merge`: an adapter into the weights of its base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import room, show, watching


def merge(
    base: Annotated[
        Path, typer.Argument(metavar="BASE", help="The model: a Hugging Face folder.")
    ],
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="The PEFT adapter's folder.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder to make, with the model.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a merged model that is there.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the record of the merge as JSON.")
    ] = False,
) -> None:
    """Merge a PEFT adapter into its base: LoRA, rsLoRA, DoRA, trained embeddings.

    The result is a model of its own, with tokenizer and chat template, as if all of it
    had been trained. OUT appears when it is whole; after a kill the same command goes
    on where it stopped. An activated LoRA cannot be merged.
    """
    with room("convert"):
        from convert.merge import merge as merge_folders
    with watching(quiet=json) as watcher:
        record = merge_folders(base, adapter, out, force=force, watcher=watcher)
    lines = [
        f"{out}: {record.bytes / 2**20:,.1f} MiB, {record.changed} of {record.weights} "
        f"weights changed by {record.adapter}"
    ]
    lines += [f"Note: {note}." for note in record.notes]
    show(record, "\n".join(lines), json=json)
