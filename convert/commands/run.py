"""`convert run`: runs all conversion steps on a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convert.commands import ollama_options as given
from medassist.core.terminal import room, show, watching


def run(
    folder: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder that a fine-tune left."),
    ],
    types: Annotated[
        str | None,
        typer.Option(
            "--types",
            metavar="LIST",
            help="Quantizations of what is made, with commas; by default Q4_K_M,Q8_0.",
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|GGUF", help="The base model, where the run folder holds none."
        ),
    ] = None,
    imatrix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An importance matrix for the quantizer."),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text to measure the loss on; else the built-in one."
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The system prompt in the Modelfile."),
    ] = None,
    stops: given.Stops = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Of an adapter that was trained on a GGUF make a merged model, too.",
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; by default one for each core.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Merge, convert, quantize and verify a run folder, and write its Modelfile.

    Where a GGUF was trained on, that file is the base as it is, and the adapter alone
    is converted, to be used beside it.
    Stop it when you like and call it again: what is done and unchanged is not done
    twice. A GGUF that is not what it was made from ends it with exit 1.
    """
    with room("convert"):
        from convert.quantization_types import read_types
        from convert.run.convert import convert_run_folder
        from convert.run.run_steps import RunWishes
    named = tuple(read_types(types)) if types and types.strip() else ()
    wishes = RunWishes(
        types=None if types is None else named,
        imatrix=imatrix,
        text=text,
        system=system,
        stops=tuple(stops or ()),
        merge=merge,
        threads=threads,
    )
    with watching(quiet=json) as watcher:
        found = convert_run_folder(folder, base=base, wishes=wishes, watcher=watcher)
    width = max(len(step.name) for step in found.steps)
    lines = [
        f"  {step.name:<{width}}  {step.state:<9}  {step.seconds:7.1f} s"
        for step in found.steps
    ]
    lines += [
        f"{entry.file}: {'verified' if entry.passed else 'WRONG'}"
        for entry in found.verified
    ]
    if found.older:
        lines.append(
            f"Note: {', '.join(found.older)} in gguf/ were not asked for and not "
            "looked at; they may be of an older training."
        )
    lines += [f"  PARAMETER {parameter.told}" for parameter in found.parameters]
    lines += [f"Note: {note.rstrip('.')}." for note in found.notes]
    if found.modelfile:
        lines.append(f"For Ollama: ollama create NAME -f {found.modelfile}")
    show(found, "\n".join(lines), json=json)
