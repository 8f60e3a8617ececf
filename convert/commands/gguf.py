"""`convert gguf`: converts a Hugging Face model to GGUF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convert.supported_models import TAKEN
from medassist.core.terminal import room, show, watching
from medassist.core.words import duration, size

HELP = f"""Convert a Hugging Face model to GGUF, the file that llama.cpp and Ollama run.

Taken is a model whose config.json names one of these classes:
{", ".join(f"{name} ({models})" for name, models in TAKEN.items())}.

Tensor by tensor: memory does not grow with the model. What cannot be written
exactly is refused. The next step is `convert verify`.
"""


def gguf(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="The model: a folder as transformers saves it, with safetensors.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file to write, NAME.gguf; or a folder, or for several types a "
            "name with {type} in it.",
        ),
    ],
    outtype: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="f32, f16, bf16, q8_0; several with commas. bf16 keeps a model that "
            "is stored so bit for bit.",
        ),
    ] = "f16",
    split_max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Start a new file when so much is in one, as 2G or 500M.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The name that the GGUF gives itself; by default that of the model's "
            "card, or of its folder.",
        ),
    ] = None,
    pre: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="llama.cpp's name for the way in which the tokenizer splits text, "
            "where it is not recognised. Then let `convert verify` prove it.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was made as JSON.")
    ] = False,
) -> None:
    """Convert a Hugging Face model to GGUF; see `HELP`."""
    with room("convert"):
        from convert.gguf.conversion import convert_types, read_outtypes
        from convert.gguf.model import About
        from convert.quantize import read_bytes
    types = read_outtypes(outtype)
    split = read_bytes(split_max_size) if split_max_size else 0
    with watching(quiet=json) as watcher:
        made = convert_types(
            model,
            out,
            types,
            about=About(name),
            pre=pre,
            force=force,
            split=split,
            watcher=watcher,
        )
    lines: list[str] = []
    for file in made.files:
        parts = f" in {len(file.parts)} files" if len(file.parts) > 1 else ""
        lines.append(
            f"{file.file}: {made.architecture}, {file.type}, {made.tensors} tensors, "
            f"{size(file.bytes)}{parts}, {duration(file.seconds)}"
        )
    lines += [f"Note: {note}." for note in made.notes]
    show(made, "\n".join(lines), json=json)
