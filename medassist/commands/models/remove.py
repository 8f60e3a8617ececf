"""`medassist models remove`: removes a pair or model from the library."""

from __future__ import annotations

from typing import Annotated

import typer

from medassist.commands.models.options import Json, as_text
from medassist.core.terminal import say


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
    from medassist.library.model_import import remove as forget

    deleted = forget(name, delete=delete)
    if json:
        removed: dict[str, object] = {
            "removed": name,
            "deleted": [str(f) for f in deleted],
        }
        say(as_text(removed), json=True)
        return
    say(f"{name} is forgotten.")
    for file in deleted:
        say(f"Deleted {file}")
