"""`medassist models pair`: make a pair, or change one."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json
from medassist.core.terminal import say


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
    from medassist.library.lookup import taken_in
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
