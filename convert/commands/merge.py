"""`convert merge`: merges an adapter into the weights of its base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from convert.errors import ConvertError
from medassist.core.terminal import room, show, watching


def merge(
    base: Annotated[
        Path,
        typer.Argument(
            metavar="BASE", help="The model: a Hugging Face folder or a GGUF."
        ),
    ],
    adapter: Annotated[
        Path,
        typer.Argument(
            metavar="ADAPTER", help="A PEFT adapter's folder, or on a GGUF one in GGUF."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The folder to make, or NAME.gguf, with the model."
        ),
    ],
    outtype: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Of GGUFs: what the matrices become: f32, f16, bf16, q8_0, or base: "
            "changed ones quantized anew to the base's own types. By default quantized "
            "ones become f16.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of GGUFs: threads; by default one for each core."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a merged model that is there.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the record of the merge as JSON.")
    ] = False,
) -> None:
    """Merge an adapter into its base: PEFT's into a folder, or a LoRA GGUF into a GGUF.

    The result is a model of its own, with tokenizer and chat template, as if all of it
    had been trained. OUT appears when it is whole. An activated LoRA cannot be merged.
    Folders: LoRA, rsLoRA, DoRA, trained embeddings; after a kill the same command goes
    on where it stopped. GGUFs: the merged file is proven against base and adapter, by
    what both hold, their logits and greedy text; exit 1 where it is not the same.
    """
    if base.is_dir() or (adapter.is_dir() and not base.exists()):
        if outtype is not None:
            raise ConvertError(
                f"{base} is a folder, whose weights keep their types; --outtype is for "
                "GGUFs"
            )
        _folders(base, adapter, out, force=force, json=json)
    else:
        _ggufs(base, adapter, out, outtype, threads=threads, force=force, json=json)


def _folders(base: Path, adapter: Path, out: Path, *, force: bool, json: bool) -> None:
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


def _ggufs(
    base: Path,
    adapter: Path,
    out: Path,
    outtype: str | None,
    *,
    threads: int | None,
    force: bool,
    json: bool,
) -> None:
    with room("convert"):
        from convert.commands.verify import table
        from convert.merge.gguf_merge import merge_gguf, read_merge_type
        from convert.verify.merged_gguf import verify_merged
    kind = read_merge_type(outtype)
    with watching(quiet=json) as watcher:
        made = merge_gguf(
            base,
            adapter,
            out,
            outtype=kind,
            force=force,
            threads=threads,
            watcher=watcher,
        )
        proof = verify_merged(base, adapter, out, threads=threads, watcher=watcher)
    lines = [
        f"{out}: {made.bytes / 2**20:,.1f} MiB, {made.changed} of {made.tensors} "
        f"weights changed by {made.adapter} ({', '.join(made.types)})"
    ]
    lines += [f"Note: {note}." for note in made.notes]
    shown = made.model_copy(update={"verified": proof.passed})
    show(shown, "\n".join([*lines, table(proof)]), json=json)
    if not proof.passed:
        raise typer.Exit(1)
