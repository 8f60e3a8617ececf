"""`convert modelfile`: writes a Modelfile from a model's chat template and tokens."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from convert.commands import ollama_options as given
from convert.errors import ConvertError
from medassist.core.terminal import room, say, show


def modelfile(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A GGUF, or a model folder with its tokenizer."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to write it; else it is shown."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="GGUF",
            help="The weights, where MODEL is a folder: a GGUF or a name in Ollama.",
        ),
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(
            metavar="GGUF",
            help="A LoRA adapter on the weights, as a GGUF: the one file is named that "
            "`convert merge` makes of both.",
        ),
    ] = None,
    card: given.CardFile = None,
    system: given.System = None,
    parameters: given.Parameters = None,
    stops: given.Stops = None,
    context: given.Context = None,
    licences: given.Licences = None,
    messages: given.Messages = None,
    template: given.Template = None,
    date: given.Date = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The name in its first comment.")
    ] = "medassist",
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Write a Modelfile for `ollama create`, from the model's own chat template.

    The Go TEMPLATE is derived from the Jinja template and compared with it over many
    conversations; one that Go cannot repeat exactly is refused, unless Ollama from 0.30
    on renders it itself: there TEMPLATE is the nearest. Parameters are
    those that the model's files or you name, and no others; who named which is told.
    """
    with room("convert"):
        from convert.gguf.contents import read_facts
        from convert.modelfile import ModelfileParts, WrittenModelfile, beside
        from convert.modelfile import modelfile as text_of
        from convert.notice import heading
        from convert.ollama.adapter_support import NO_ADAPTER, check_adapter
        from convert.ollama.model_settings import settings_of
    from medassist.core.card import read_card
    from medassist.core.files import SHARED_FILE, write_whole

    if out is not None and out.exists() and not force:
        raise ConvertError(f"{out} is there already; --force writes over it")
    if out is not None and not out.parent.is_dir():
        raise ConvertError(f"the folder {out.parent} is not there; make it first")
    home = Path() if out is None else out.parent
    wishes = given.read_wishes(
        system=system,
        parameters=parameters,
        stops=stops,
        context=context,
        licences=licences,
        messages=messages,
        template=template,
        date=date,
        card=card,
    )
    settings = settings_of(model, wishes)
    source = _weights(model, weights, home)
    of_adapter: list[str] = []
    beside_weights = None
    if adapter is not None:
        base = model if weights is None else Path(weights)
        known = read_facts(base) if weights is None or base.exists() else None
        check_adapter(read_facts(adapter), known)
        if known is None:
            # Ollama alone has the base, so there is nothing here to merge with.
            beside_weights = beside(adapter, home)
            of_adapter.append(f"{NO_ADAPTER}, and {weights} is no file to merge with.")
        else:
            merged, note = _merged(base, adapter)
            source = beside(merged, home)
            of_adapter.append(note)
    text = text_of(
        ModelfileParts(
            weights=source,
            adapter=beside_weights,
            settings=settings,
            heading="" if card is None else heading(read_card(card), name),
        )
    )
    if out is not None:
        write_whole(out, text, SHARED_FILE)
    for parameter in settings.origins:
        say(f"PARAMETER {parameter.told}", err=True)
    notes = [*settings.notes, *of_adapter]
    for note in notes:
        say(f"Note: {note}", err=True)
    shown = text.rstrip("\n") if out is None else f"{out}: ollama create NAME -f {out}"
    result = WrittenModelfile(
        file=out,
        modelfile=text,
        template=settings.template,
        stops=list(settings.stops),
        parameters=settings.parameters,
        origins=list(settings.origins),
        notes=notes,
    )
    show(result, shown, json=json, is_file=out is None)


def _merged(base: Path, adapter: Path) -> tuple[Path, str]:
    """The file in which base and adapter are one, and what a user should know of it."""
    from convert.merge.proven_merge import merged_file, proof_of_merge
    from convert.ollama.adapter_support import NO_ADAPTER

    merged = merged_file(base, adapter)
    front = f"{NO_ADAPTER}, so it names {merged}, the two in one file"
    if proof_of_merge(base, adapter, merged):
        return merged, f"{front}, which is proven."
    files = shlex.join(map(str, (base, adapter, merged)))
    more = " --force" if merged.exists() else ""
    return merged, f"{front}. Make it first: medassist convert merge {files}{more}"


def _weights(model: Path, weights: str | None, home: Path) -> str:
    from convert.modelfile import beside

    if weights is None:
        if model.is_dir():
            raise ConvertError(
                f"{model} is a model folder; a Modelfile names a GGUF of it with "
                "--from (`convert gguf` makes one)"
            )
        return beside(model, home)
    return beside(Path(weights), home) if Path(weights).exists() else weights
