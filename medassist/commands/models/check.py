"""`medassist models check`: templates, tokens and hashes."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json
from medassist.core.terminal import say


def check(
    name: Annotated[
        str | None, typer.Argument(help="A pair or model; left out: all pairs.")
    ] = None,
    json: Json = False,
) -> None:
    """Look at templates, BOS, end tokens and hashes, and say what to mend.

    Exit code 1 where something is wrong.
    """
    from medassist.commands.models.output import checked, checked_json
    from medassist.library.lookup import check as look

    found = look(name)
    say(checked_json(found) if json else checked(found), json=json)
    if any(one.is_wrong for one in found):
        raise typer.Exit(1)
