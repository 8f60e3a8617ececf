"""Options shared by several verbs of `medassist models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medassist.core.values import EngineOptions

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="What to call it from now on."),
]


def engine_options() -> EngineOptions:
    """Engine options from the user's settings, to estimate memory."""
    from medassist.settings import load_settings

    return load_settings().engine_options


def as_text(found: dict[str, object]) -> str:
    """A small object as JSON text."""
    return json.dumps(found, indent=2, ensure_ascii=False)
