"""`medassist models ...`: the models and pairs on this computer.

What a verb prints is in `cli_models_print.py`; each verb imports the library when it
is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.terminal import Proxy, Verbs, confirm, say

if TYPE_CHECKING:
    from medassist.core.values import EngineOptions
    from medassist.library.importing import Imported

app = typer.Typer(
    cls=Verbs,
    name="models",
    help="The models and pairs on this computer: list, import, pair, check, pull.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="What to call it from now on."),
]


@app.callback()
def _models() -> None:
    pass


@app.command("list")
def list_all(
    json: Json = False,
    ollama: Annotated[bool, typer.Option(help="Look into Ollama's store, too.")] = True,
) -> None:
    """List pairs and models, and whether they fit into memory."""
    from medassist.commands.models_print import listed
    from medassist.library.catalogue import catalogue
    from medassist.library.registry import load_registry

    found = catalogue(load_registry(), _options(), with_ollama=ollama)
    say(found.model_dump_json(indent=2) if json else listed(found), json=json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A pair or model of the list.")],
    json: Json = False,
) -> None:
    """Show everything about one pair or model; computes its sha256 if need be."""
    from medassist.commands.models_print import shown_model, shown_pair
    from medassist.library.looking_up import details_of

    found = details_of(name, _options())
    if json:
        say(found.model_dump_json(indent=2), json=True)
    elif found.pair is not None:
        say(shown_pair(found.pair, found.available))
    elif found.model is not None:
        say(shown_model(found.model, found.available))


@app.command("import")
def import_(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A GGUF, a run folder, or ollama:NAME of its store."
        ),
    ],
    name: Name = None,
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Copy the file; by default its path is kept."),
    ] = False,
    adapter: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="An adapter on it: the two become a pair."),
    ] = None,
    json: Json = False,
) -> None:
    """Take a model, a run folder with its card, or a model of Ollama's in."""
    from medassist.commands.models_print import imported
    from medassist.core.terminal import watching
    from medassist.library.importing import import_ollama, import_path
    from medassist.library.ollama_store import PREFIX

    if path.startswith(PREFIX):
        if copy or adapter:
            raise typer.BadParameter("a model of Ollama's is used where it lies")
        found = import_ollama(path, name)
    else:
        with watching(quiet=json) as watcher:
            if adapter is None:
                found = import_path(Path(path), name, copy=copy, watcher=watcher)
            else:
                found = _with_adapter(Path(path), adapter, name, copy)
    say(imported(found, json), json=json)


def _with_adapter(base: Path, adapter: Path, name: str | None, copy: bool) -> Imported:
    from medassist.core.gguf import require_adapter, require_model
    from medassist.library.importing import Imported, import_path
    from medassist.library.pairs import make_pair
    from medassist.library.registry import free_name, load_registry

    require_adapter(adapter, require_model(base))
    first = import_path(base, copy=copy)
    second = import_path(adapter, copy=copy)
    pair = name or free_name(f"{first.models[0]}-pair", load_registry())
    make_pair(pair, first.models[0], None, second.models[0])
    return Imported(
        (*first.models, *second.models), pair, (*first.notes, *second.notes)
    )


@app.command()
def pair(
    name: Annotated[str, typer.Argument(help="What to call the pair.")],
    base: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Base model, by its name.")
    ] = None,
    tuned: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Tuned model, merged.")
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Adapter on the base.")
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="System prompt of both panes; '' is none."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a pair of models of the list, or change one; their names come from there."""
    from medassist.library.looking_up import taken_in
    from medassist.library.pairs import make_pair, set_asked

    made = make_pair(name, *(taken_in(n) for n in (base, tuned, adapter)))
    if system is not None:
        from medassist.library.registry import NamedPair

        both = {
            p: made.asked(p).model_copy(update={"system": system})
            for p in ("base", "tuned")
        }
        made = NamedPair.model_validate({**made.model_dump(), "panes": both})
        set_asked(name, made)
    say(
        made.model_dump_json(indent=2)
        if json
        else f"{name}: {' and '.join(made.models)}. "
        f"`medassist --pair {name}` opens it.",
        json=json,
    )


@app.command()
def default(
    name: Annotated[
        str | None, typer.Argument(help="A pair; left out, it is said which it is.")
    ] = None,
    json: Json = False,
) -> None:
    """Say which pair the program opens with, or have it open with another."""
    from medassist.library.pairs import set_default
    from medassist.library.registry import STARTER, load_registry

    if name is not None:
        set_default(name)
    found = load_registry().default or STARTER
    say(_json({"default": found}) if json else found, json=json)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="A pair or model of the list.")],
    delete: Annotated[
        bool,
        typer.Option(
            "--delete", help="Delete its file too, if medassist copied or pulled it."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Forget a pair or a model; its file stays unless --delete is given."""
    from medassist.library.importing import remove as forget

    deleted = forget(name, delete=delete)
    if json:
        removed: dict[str, object] = {
            "removed": name,
            "deleted": [str(f) for f in deleted],
        }
        say(_json(removed), json=True)
        return
    say(f"{name} is forgotten.")
    for file in deleted:
        say(f"Deleted {file}")


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(help="A pair or model; left out: all pairs.")
    ] = None,
    json: Json = False,
) -> None:
    """Look at templates, BOS, end tokens and hashes, and say what to mend.

    Exit code 1 where something is wrong.
    """
    from medassist.commands.models_print import checked, checked_json
    from medassist.library.looking_up import check as look

    found = look(name)
    say(checked_json(found) if json else checked(found), json=json)
    if any(one.is_wrong for one in found):
        raise typer.Exit(1)


@app.command()
def pull(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="On the Hub.")],
    file: Annotated[
        str | None, typer.Argument(help="The GGUF; may be left out if it is the only.")
    ] = None,
    revision: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
    name: Name = None,
    proxy: Proxy = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")
    ] = False,
    json: Json = False,
) -> None:
    """Download a model from the Hugging Face Hub; asks first, checks its sha256.

    The only command of these that uses the network.
    """
    from medassist.commands.models_print import planned
    from medassist.core.hub import hub_host
    from medassist.core.settings_file import way_out
    from medassist.core.terminal import watching
    from medassist.library.hub.access import require_library
    from medassist.library.hub.plan import make_plan, require_repo
    from medassist.library.hub.pull import pull as fetch

    require_library()
    require_repo(repo, revision)
    way = way_out(proxy)
    if not yes:
        _ask(f"Ask {hub_host()}{way.told} which files {repo} has?")
    plan = make_plan(repo, file, revision, way)
    say(planned(plan), err=True)
    if not yes:
        _ask(f"Download this from {' and '.join(plan.hosts)}{way.told}?")
    with watching(quiet=json) as watcher:
        called = fetch(plan, name, way=way, watcher=watcher)
    say(
        _json({"model": called, "repo": repo, "commit": plan.commit})
        if json
        else f"{called} is there, and its sha256 is the Hub's.",
        json=json,
    )


def _ask(question: str) -> None:
    if not confirm(question, err=True):
        say("Nothing was sent.", err=True)
        raise typer.Exit(1)


def _options() -> EngineOptions:
    from medassist.settings import load_settings

    return load_settings().engine_options


def _json(found: dict[str, object]) -> str:
    import json

    return json.dumps(found, indent=2, ensure_ascii=False)
