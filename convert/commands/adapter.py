"""`convert adapter`: converts a PEFT adapter to a GGUF adapter."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medassist.core.terminal import room, show, watching
from medassist.core.words import size


class Outtype(StrEnum):
    """Storage types of the adapter's matrices."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"


def adapter(
    adapter: Annotated[
        Path, typer.Argument(metavar="ADAPTER", help="The PEFT adapter's folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The GGUF to write.")],
    base: Annotated[
        Path,
        typer.Option(
            "--base",
            metavar="DIR|GGUF",
            help="The model that the adapter was trained on: a Hugging Face folder, or "
            "the GGUF itself.",
        ),
    ],
    outtype: Annotated[
        Outtype, typer.Option("--outtype", help="How the matrices are stored.")
    ] = Outtype.F16,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The adapter's name; by default its folder's."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is there.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON.")
    ] = False,
) -> None:
    """Convert a PEFT LoRA to a GGUF adapter, to be used beside the base's GGUF.

    LoRA, rsLoRA, rank and alpha patterns, activated LoRA. What a GGUF adapter cannot
    hold (DoRA, modules_to_save, biases, added tokens) is refused: merge those.
    """
    with room("convert"):
        from convert.adapter_text_part import images_left_out, note_on_unused
        from convert.architectures import unused_in
        from convert.gguf.adapter import (
            convert_adapter,
            reads_weights,
            written_adapter,
        )
        from convert.gguf.model import About
        from convert.hf_folder import read_config
        from convert.peft_adapter import read_adapter
        from convert.unpack.unpack import as_folder
    about = About(name or adapter.resolve().name)
    loras = read_adapter(adapter)
    weights, images = reads_weights(loras), images_left_out(loras)
    with (
        watching(quiet=json) as watcher,
        as_folder(base, out, weights=weights, watcher=watcher) as folder,
    ):
        convert_adapter(
            adapter, folder, out, about, outtype.value, force=force, watcher=watcher
        )
        unused = note_on_unused(loras, unused_in(read_config(folder)))
    written = written_adapter(out)
    text = (
        f"{out}: {size(written.bytes)}, {written.pairs} weights adapted, "
        f"alpha {written.alpha:g}"
    )
    if written.invocation:
        text += f", activated by the tokens {list(written.invocation)}"
    left_out = (
        f"text only: images are not taken over; {images} parts of the adapter are "
        "for the vision tower or the projector and are left out"
    )
    notes = (*((left_out,) if images else ()), *((unused,) if unused else ()))
    written = written.model_copy(update={"notes": notes})
    for note in notes:
        text += f"\nNote: {note}."
    show(written, text, json=json)
