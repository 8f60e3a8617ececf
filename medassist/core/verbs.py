"""Commands with subcommands, which are imported only when they are called.

A line of `--help` needs a name and a sentence. Options, with all that they import, are
read of the one verb that is called: read of every verb, they took half the time to the
help text and a good part of the time to the first frame of the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from medassist.core.clean import clean


class Door(TyperCommand):
    """Stands for a verb in the list of verbs; imports it when it is called.

    It is registered (`app.command(cls=Door)`) with a function that imports the verb and
    returns it, and whose docstring is the line.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        """The context of the verb itself, so that the verb is what runs."""
        behind = self.callback() if self.callback else None
        if not isinstance(behind, typer.Typer):
            raise TypeError(f"the door of {self.name} leads to no command")
        return get_command(behind).make_context(*args, **more)


def verbs(name: str, help_text: str) -> typer.Typer:
    """A command with subcommands, which prints its help when called alone."""
    # The completion that Typer would offer binds the words `python -m`.
    app = typer.Typer(
        cls=Verbs,
        name=name,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        add_completion=False,
    )
    app.callback()(_nothing)
    return app


def alone(verb: Callable[..., None], *, epilog: str | None = None) -> typer.Typer:
    """A command without subcommands."""
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(epilog=epilog)(verb)
    return app


def _nothing() -> None:
    """Callback of a command of several verbs, which does nothing."""


class Verbs(TyperGroup):
    """Command group whose usage errors are cleaned before they are printed.

    What was typed stands in them, and a shell types names of files too.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _cleanly():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        with _cleanly():
            return super().invoke(ctx)


@contextmanager
def _cleanly() -> Generator[None]:
    try:
        yield
    except Exception as error:
        said = getattr(error, "format_message", None)
        if callable(said):
            text = clean(str(said()))
            error.format_message = lambda: text  # pyright: ignore[reportAttributeAccessIssue]
        raise
