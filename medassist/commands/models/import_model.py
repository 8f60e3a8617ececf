"""`medassist models import`: adds models to the library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.commands.models.options import Json, Name
from medassist.core.terminal import say

if TYPE_CHECKING:
    from medassist.library.model_import import Imported


def import_model(
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
    from medassist.commands.models.output import imported
    from medassist.core.terminal import watching
    from medassist.library.model_import import import_ollama, import_path
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
    from medassist.library.model_import import Imported, import_path
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
