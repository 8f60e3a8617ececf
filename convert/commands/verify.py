"""`convert verify`: verifies a GGUF against its source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convert.errors import ConvertError
from medassist.core.terminal import room, say, show, watching
from medassist.core.words import duration

if TYPE_CHECKING:
    from medassist.core.proofs import Verified

SHOWN = (
    "Mean PPL(Q)",
    "Mean PPL(base)",
    "Mean PPL(Q)/PPL(base)",
    "Mean KLD",
    "Maximum KLD",
    "99.0% KLD",
    "Median KLD",
    "Same top p",
)


def verify(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="The Hugging Face model's folder; or the GGUF that an adapter was "
            "trained on or merged into.",
        ),
    ],
    gguf: Annotated[
        Path,
        typer.Argument(
            metavar="GGUF", help="Made from it (the first file of a split one)."
        ),
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="GGUF",
            help="What a quantized file was made from: its loss is measured.",
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text to measure the loss on; else the built-in one."
        ),
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A PEFT adapter of MODEL to verify as well."),
    ] = None,
    adapter_gguf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The GGUF made from it; or the one that was merged."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads; by default one for each core.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that a GGUF is the model it was made from; exit 1 where it is not.

    Token ids, rendered prompts, logits and greedy text must be those of the Hugging
    Face model. A quantized file is measured against the unquantized one. The result
    goes into verify.json beside the GGUF, and publish asks for it. What was merged of
    two GGUFs is held against both: verify BASE.gguf OUT.gguf --adapter-gguf LORA.gguf.
    """
    if model.is_file() and adapter_gguf is not None and adapter is None:
        _merged(model, gguf, adapter_gguf, text, threads=threads, json=json)
        return
    if (adapter is None) != (adapter_gguf is None):
        raise ConvertError("--adapter and --adapter-gguf belong together; give both")
    with room("convert"):
        import torch

        from convert.unpack.unpack import as_folder
        from convert.verify.gate import verify_adapter, verify_model
    if threads is not None:
        torch.set_num_threads(threads)
    itself = model.exists() and gguf.exists() and model.samefile(gguf)
    if itself and adapter is None:
        raise ConvertError(
            f"{gguf} is {model} itself, and nothing is to be verified of it; give the "
            "adapter that was trained on it: --adapter DIR --adapter-gguf FILE"
        )
    both: list[Verified] = []
    with (
        watching(quiet=json) as watcher,
        as_folder(model, adapter_gguf or gguf, watcher=watcher) as folder,
    ):
        if not itself:
            both.append(
                verify_model(
                    folder,
                    gguf,
                    against=against,
                    text=text,
                    threads=threads,
                    watcher=watcher,
                )
            )
        if adapter is not None and adapter_gguf is not None:
            both.append(
                verify_adapter(
                    folder,
                    gguf,
                    adapter,
                    adapter_gguf,
                    threads=threads,
                    watcher=watcher,
                )
            )
    from medassist.core.validated import to_json

    if json and len(both) > 1:
        objects = ",".join(to_json(one) for one in both)
        say(f"[{objects}]", json=True)
    else:
        show(both[0], "\n".join(table(one) for one in both), json=json)
    if not all(one.passed for one in both):
        raise typer.Exit(1)


def _merged(
    base: Path,
    gguf: Path,
    adapter: Path,
    text: Path | None,
    *,
    threads: int | None,
    json: bool,
) -> None:
    with room("convert"):
        from convert.verify.merged_gguf import verify_merged
    with watching(quiet=json) as watcher:
        found = verify_merged(
            base, adapter, gguf, text=text, threads=threads, watcher=watcher
        )
    show(found, table(found), json=json)
    if not found.passed:
        raise typer.Exit(1)


def table(found: Verified) -> str:
    """Results of the gate for a file, one check a line."""
    width = max(len(check.name) for check in found.checks)
    verdict = "verified" if found.passed else "WRONG"
    lines = [f"{found.file} ({found.quantization}) against {found.model}: {verdict}"]
    lines += [
        f"  {'ok  ' if check.passed else 'FAIL'} {check.name:<{width}}  {check.said}"
        for check in found.checks
    ]
    if found.loss is not None:
        loss = found.loss
        lines.append(
            f"  {loss.text} text, {loss.chunks} chunks of {loss.context} tokens, "
            f"against {loss.against}"
        )
        for name in SHOWN:
            figure = loss.figures[name]
            error = "" if figure.error is None else f" ± {figure.error:.6f}"
            lines.append(f"  {name:<24} {figure.value:12.6f}{error} {figure.unit}")
    memory = ", ".join(f"{mib:,.0f} MiB {who}" for who, mib in found.peak_mib.items())
    lines.append(f"  {duration(found.seconds)}; peak memory: {memory}")
    return "\n".join(lines)
