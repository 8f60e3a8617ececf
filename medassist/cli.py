"""The front door: one command, `medassist`, and the list of its verbs.

Each verb imports its room when it is called, so that `--help` and the first frame of
the screen wait for nothing that they do not show.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from convert.commands import app as convert
from medassist.commands.ask import EXIT_CODES, ask
from medassist.commands.bench import app as bench
from medassist.commands.consult import consult
from medassist.commands.doctor import doctor
from medassist.commands.models import app as models
from medassist.commands.starter import finetune
from medassist.commands.starter_pair import app as starter
from medassist.commands.verdicts import verdicts
from medassist.core.terminal import Verbs, say_how_it_ended, say_where

app = typer.Typer(
    name="medassist",
    cls=Verbs,
    help="A base and a tuned medical language model side by side, offline. "
    "Without a command it opens the consult screen. "
    "A demonstration of language models, not a medical device.",
    # Rich costs a third of the time that --help may take.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True)(consult)
app.add_typer(models, name="models")
app.add_typer(starter, name="starter")
app.command()(verdicts)
app.add_typer(finetune, name="finetune")
app.add_typer(convert, name="convert")
app.command(epilog=EXIT_CODES)(ask)
app.add_typer(bench, name="bench")
app.command()(doctor)


def main() -> NoReturn:
    """Run the command; an error becomes a sentence unless `--debug` is given."""
    _set_up_streams()
    try:
        app(prog_name="medassist")
    except Exception as error:
        if _wants_debug(sys.argv[1:]):
            say_where(error)
            sys.exit(1)
        sys.exit(say_how_it_ended(error, "medassist"))
    sys.exit(0)


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
