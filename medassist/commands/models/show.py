"""`medassist models show`: shows everything about one pair or model."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json, engine_options
from medassist.core.terminal import say


def show(
    name: Annotated[str, typer.Argument(help="A pair or model of the list.")],
    json: Json = False,
) -> None:
    """Show everything about one pair or model; computes its sha256 if need be."""
    from medassist.commands.models.output import shown_model, shown_pair
    from medassist.library.lookup import details_of

    found = details_of(name, engine_options())
    if json:
        say(found.model_dump_json(indent=2), json=True)
    elif found.pair is not None:
        say(shown_pair(found.pair, found.available))
    elif found.model is not None:
        say(shown_model(found.model, found.available))
