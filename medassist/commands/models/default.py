"""`medassist models default`: shows or sets the pair that the program opens with."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json, as_text
from medassist.core.terminal import say


def default(
    name: Annotated[
        str | None, typer.Argument(help="A pair; left out, it is said which it is.")
    ] = None,
    json: Json = False,
) -> None:
    """Say which pair the program opens with, or have it open with another."""
    from medassist.library.pairs import set_default
    from medassist.library.registry import load_registry
    from medassist.starter import STARTER

    if name is not None:
        set_default(name)
    found = load_registry().default or STARTER
    say(as_text({"default": found}) if json else found, json=json)
