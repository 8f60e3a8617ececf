"""`medassist models list`: lists pairs and models."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json, engine_options
from medassist.core.terminal import say


def list_models(
    json: Json = False,
    ollama: Annotated[bool, typer.Option(help="Look into Ollama's store, too.")] = True,
) -> None:
    """List pairs and models, and whether they fit into memory."""
    from medassist.commands.models.output import listed
    from medassist.library.catalogue import catalogue
    from medassist.library.registry import load_registry

    found = catalogue(load_registry(), engine_options(), with_ollama=ollama, read=True)
    say(found.model_dump_json(indent=2) if json else listed(found), json=json)
