"""Terminal output of all commands: progress, text for people, JSON for programs.

Every word that a verb prints goes through here: the names of files, models, pairs and
repositories come from outside, and a terminal would obey what stands in them.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from medassist.core.clean import clean, clean_line, escaped_json
from medassist.core.errors import MedassistError
from medassist.core.progress import Watcher, unwatched
from medassist.core.spin_time import spin_briefly
from medassist.core.validated import to_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

Proxy = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="URL",
        help="Go through this proxy, http://HOST:PORT; by default the one in "
        "settings.toml, if any; '' is none.",
    ),
]
"""Option of every verb that goes online; `settings_file.way_out` takes it."""
SECONDS_BETWEEN_LINES = 10.0  # of progress where nobody watches a bar


class RoomError(MedassistError):
    """A package's libraries are missing; the message says what to install."""


@contextmanager
def room(extra: str) -> Generator[None]:
    """Turn a missing library of an optional package into a sentence.

    What they compute with is loaded within, and waits as the engine's threads do.

    Args:
        extra: of the package, that brings what the room needs.

    Raises:
        RoomError: a library of the extra is not installed.
    """
    import logging  # `--help` is printed without it

    spin_briefly()
    # PEFT loads bitsandbytes, which on some processors wants a kernel from the Hub and
    # complains that it cannot have it. Nothing here computes with that.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing in ("medassist", "convert", "finetune"):
            raise
        raise RoomError(
            f"this command needs {missing}, which the plain install leaves out. "
            f"Install it with: pip install 'medassist[{extra}]' (in a clone: make dev)"
        ) from None


@contextmanager
def watching(*, quiet: bool = False) -> Generator[Watcher]:
    """A watcher that draws progress bars on a terminal, and lines elsewhere.

    Both go to standard error: what a verb prints can be piped. `quiet` shows nothing.
    """
    if quiet:
        yield unwatched
    elif sys.stderr.isatty():
        with _bars() as watcher:
            yield watcher
    else:
        yield _Lines()


@contextmanager
def _bars() -> Generator[Watcher]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def watcher(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(clean_line(what), total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield watcher


class _Lines:
    """A line when something begins and now and then while it lasts."""

    def __init__(self) -> None:
        self._what = ""
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what == self._what and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._what, self._last = what, now
        share = f" {100 * done // total} %" if total and done else ""
        say(f"{clean_line(what)}{share}", err=True)


def say(text: str, *, err: bool = False, json: bool = False) -> None:
    """Print a line or several, cleaned.

    Args:
        text: What is said.
        err: On standard error, so that what a verb gives can be piped.
        json: It is JSON, in which what a terminal would obey is escaped: a program is
            to read every character.
    """
    typer.echo(escaped_json(text) if json else clean(text), err=err)


def say_where(error: Exception) -> None:
    """Print the cleaned traceback of an error, whose message may quote anything."""
    say("".join(traceback.format_exception(error)).rstrip("\n"), err=True)


def say_on(console: Console, text: str) -> None:
    """Print a line, cleaned and as it is, above the bars of a console of rich."""
    console.print(clean(text), markup=False, highlight=False, soft_wrap=True)


def say_how_it_ended(error: Exception, program: str) -> int:
    """Say on standard error what went wrong; the exit code that goes with it."""
    match error:
        case MedassistError():
            code, message = error.exit_code, str(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            code, message = 1, f"{where}{error.strerror or error}"
        case _:
            code = 1
            message = (
                f"unexpected {type(error).__name__}: {error}. This is a fault of "
                "medassist; `medassist --debug ...` shows where it is."
            )
    say(f"{program}: {message}", err=True)
    return code


def run_package(app: typer.Typer, package: str) -> NoReturn:
    """Run `python -m PACKAGE ...`; an error becomes a sentence.

    With MEDASSIST_DEBUG=1 it is a traceback.
    """
    try:
        app(prog_name=f"python -m {package}")
    except Exception as error:
        if os.environ.get("MEDASSIST_DEBUG"):
            say_where(error)
            sys.exit(1)
        sys.exit(say_how_it_ended(error, package))
    sys.exit(0)


def confirm(question: str, *, abort: bool = False, err: bool = False) -> bool:
    """Ask for a yes; Enter alone is no."""
    return typer.confirm(clean(question), default=False, abort=abort, err=err)


def show(result: object, text: str, *, json: bool, is_file: bool = False) -> None:
    """Print `result`: as `text` for a person, or as one JSON object for a program.

    Where `text` is what a file is to hold, it is cleaned on a terminal alone: what goes
    into a file or a pipe is left as it is.
    """
    if is_file and not json and not sys.stdout.isatty():
        typer.echo(text)
        return
    say(to_json(result) if json else text, json=json)
