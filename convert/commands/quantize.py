"""`convert quantize`: quantizes a GGUF with llama.cpp's quantizer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import room, show, watching
from medassist.core.words import duration, size


def quantize(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="A GGUF in F32, F16 or BF16 (the first file, if split)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file to write; for several types a folder, or a name with "
            "{type} in it.",
        ),
    ],
    types: Annotated[
        str,
        typer.Option(
            "--type", metavar="LIST", help="Q4_K_M, Q8_0 ...; several with commas."
        ),
    ],
    imatrix: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An importance matrix of this model in GGUF, from llama-imatrix. "
            "Below 3 bits it is needed, above it helps.",
        ),
    ] = None,
    max_memory: Annotated[
        str,
        typer.Option(metavar="SIZE", help="Weights held at once, as 512M or 2G."),
    ] = "1G",
    allow_requantize: Annotated[
        bool,
        typer.Option(
            "--allow-requantize", help="Take a quantized model, and lose twice."
        ),
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; by default one for each core.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Quantize a GGUF: fewer bits for each weight, by llama.cpp's own quantizer.

    What it cost is measured afterwards: convert verify MODEL OUT --against IN.
    """
    with room("convert"):
        from convert.quantization_types import read_types
        from convert.quantize import quantize as run
        from convert.quantize import read_bytes
    names, memory = read_types(types), read_bytes(max_memory)
    with watching(quiet=json) as watcher:
        made = run(
            model,
            out,
            names,
            imatrix=imatrix,
            most_memory=memory,
            allow_requantize=allow_requantize,
            threads=threads,
            force=force,
            watcher=watcher,
        )
    lines = []
    for file in made.files:
        share = 100 * file.bytes / file.original_bytes
        lines.append(
            f"{file.file}: {file.type}, {size(file.bytes)} ({share:.0f} %), "
            f"{duration(file.seconds)}"
        )
        if file.fallbacks:
            lines.append(
                f"  {file.fallbacks} tensors have rows that this type's blocks do not "
                "divide; they took a larger type"
            )
    show(made, "\n".join(lines), json=json)
