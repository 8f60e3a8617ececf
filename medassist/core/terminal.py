"""What all verbs share: progress on a terminal, results for people and programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from medassist.core.progress import Watcher, unwatched

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 10.0  # of progress where nobody watches a bar


class RoomError(Exception):
    """A room cannot be entered; the message says what to install."""


@contextmanager
def room(extra: str) -> Generator[None]:
    """Turn the lack of a room's libraries into a sentence.

    Args:
        extra: of the package, that brings what the room needs.

    Raises:
        RoomError: a library of the extra is not installed.
    """
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
    """A watcher that draws bars on a terminal, and writes lines elsewhere.

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
                tasks[what] = progress.add_task(what, total=total)
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
        typer.echo(f"{what}{share}", err=True)


def show(result: BaseModel, text: str, *, json: bool) -> None:
    """Print `result`: as `text` for a person, or as one JSON object for a program."""
    typer.echo(result.model_dump_json(indent=2) if json else text)
