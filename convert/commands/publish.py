"""`convert publish`: publishes GGUFs to Ollama, and compares what it stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convert.commands import ollama_options as given
from convert.errors import ConvertError
from medassist.core.terminal import room, show, watching
from medassist.core.words import size

if TYPE_CHECKING:
    from convert.ollama.publish import Published


def publish(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="NAME, NAME:TAG, or USER/NAME to push it."),
    ],
    ggufs: Annotated[
        list[Path],
        typer.Argument(
            metavar="GGUF...",
            help="The model; of several, each is tagged with its quantization.",
        ),
    ],
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="GGUF", help="A LoRA adapter to lay on the model."),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Merge the adapter into the model first; without it that is done "
            "where the server takes no adapter.",
        ),
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where Ollama listens; by default OLLAMA_HOST or 127.0.0.1:11434.",
        ),
    ] = None,
    push: Annotated[
        bool, typer.Option("--push", help="Then push it from there to its registry.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Push to a registry without TLS.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would be sent, and who named each parameter; send nothing.",
        ),
    ] = False,
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Publish what was not verified."),
    ] = False,
    card: given.CardFile = None,
    system: given.System = None,
    parameters: given.Parameters = None,
    stops: given.Stops = None,
    context: given.Context = None,
    licences: given.Licences = None,
    messages: given.Messages = None,
    template: given.Template = None,
    date: given.Date = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take the place of a model of that name.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Make models in Ollama of GGUFs, and prove that they are what was sent.

    Files that the server has are not sent again. What it then has is read back and
    compared: tensors, template, stops, parameters, and a prompt that it renders.

    A server that takes no adapter (Ollama from 0.34.1 on) gets one file of both, merged
    and proven as `convert merge BASE.gguf ADAPTER.gguf OUT.gguf` does it.
    """
    with room("convert"):
        from convert.ollama import publish as work
        from convert.ollama.model_names import read_name
        from convert.ollama.ollama_server import OllamaServer
        from convert.ollama.publish_plan import make_plans
        from medassist.core.ollama_host import read_host

    model = read_name(name)
    if push and not model.namespace:
        raise ConvertError(
            f"{name} is in nobody's namespace; a model is pushed as USER/{name}"
        )
    if merge and adapter is None:
        raise ConvertError("--merge needs an adapter to merge; give it as --adapter")
    where = read_host(host)
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
    plans = make_plans(model, ggufs, adapter, wishes)
    done: list[Published] = []
    with watching(quiet=json) as watcher:
        proofs = [work.Proofs() for _ in plans]
        if not unverified:
            watcher("looking up what was verified", 0, 0)
            proofs = [work.proofs_of(plan) for plan in plans]
            if not dry_run:
                for proven in proofs:
                    proven.require()
        if dry_run:
            done = [
                work.dry_run(
                    plan, where.url, proofs=proven, merge=merge, watcher=watcher
                )
                for plan, proven in zip(plans, proofs, strict=True)
            ]
        else:
            with OllamaServer(where) as server:
                for plan, proven in zip(plans, proofs, strict=True):
                    made = work.publish(
                        plan,
                        server,
                        wishes,
                        proofs=proven,
                        merge=merge,
                        force=force,
                        watcher=watcher,
                    )
                    done.append(made)
                    wrong = [check for check in made.checks if check.equal is False]
                    if push and not wrong:
                        server.push(made.name, watcher, insecure=insecure)
                        done[-1] = made.model_copy(update={"pushed": True})
    text = "\n\n".join(_told(made, dry=dry_run) for made in done)
    show(work.PublishReport(dry_run=dry_run, models=done), text, json=json)
    for made in done:
        if wrong := [check.what for check in made.checks if check.equal is False]:
            raise ConvertError(
                f"{made.name} was made, but is not what was sent: {', '.join(wrong)} "
                f"(above){'; it was not pushed' if push else ''}. Do not use it; "
                "`ollama rm` takes it away"
            )


def _told(made: Published, *, dry: bool) -> str:
    lines = [f"{made.name} ({made.quantization})" + (" would be made" if dry else "")]
    for sent in made.files:
        how = "" if dry else ", was there" if sent.was_there else ", sent"
        lines.append(f"  {sent.file} {size(sent.bytes)}{how}")
    if dry:
        lines += [f"  {parameter.told}" for parameter in made.origins]
        lines.append("  all other parameters: left to Ollama")
    for check in made.checks:
        equal = {True: "equal", False: "DIFFERS", None: "not compared"}[check.equal]
        lines.append(f"  {check.what}: {equal}: {check.said}")
    lines += [f"  note: {note}" for note in made.notes]
    lines += [f"  publish would refuse it: {why}" for why in made.missing_proofs]
    if made.missing_proofs:
        from convert.ollama.publish import UNVERIFIED

        lines.append(f"  {UNVERIFIED}")
    elif not made.verified:
        told = "would be published" if dry else "published"
        lines.append(f"  note: {told} without asking for proofs (--unverified).")
    if made.pushed:
        lines.append("  pushed")
    if not dry:
        lines.append(f"  ollama run {made.name}")
    return "\n".join(lines)
