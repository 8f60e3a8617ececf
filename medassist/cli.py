"""The command `medassist`: opens the screen or runs a verb; errors and exit codes."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

STOPPED: Final = 130
"""The exit code of a program that Ctrl-C ended, as shells have it."""


def main() -> NoReturn:
    """Run the command; an error becomes a sentence unless `--debug` is given."""
    _set_up_streams()
    try:
        sys.exit(_run())
    except Exception as error:
        from medassist.core.terminal import say_how_it_ended, say_where

        if _wants_debug(sys.argv[1:]):
            say_where(error)
            sys.exit(1)
        sys.exit(say_how_it_ended(error, "medassist"))


def _run() -> int:
    """Do what the command line says; the exit code."""
    if len(sys.argv) == 1:
        return _open_the_screen()
    from medassist.commands.front_door import app

    app(prog_name="medassist")
    return 0


def _open_the_screen() -> int:
    """Opens the screen, as `medassist` alone does.

    Where there is no option, none has to be read: Typer and the Pydantic that it reads
    options with would take a fifth of the time to the first frame.
    """
    from medassist.tui.app import run

    try:
        return run()
    except KeyboardInterrupt:
        return STOPPED


def _wants_debug(arguments: list[str]) -> bool:
    """Whether `--debug` stands before the command, as its help says."""
    for argument in arguments:
        if argument == "--debug":
            return True
        if not argument.startswith("-"):
            return False
    return False


def _set_up_streams() -> None:
    # Answers hold any character; a terminal or a pipe that cannot show one must not
    # end the program. A pipe gets UTF-8 wherever we are.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if stream.isatty():
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="replace")
