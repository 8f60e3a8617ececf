"""The front door: one command, `medassist`, and the list of its verbs.

Each verb imports its room when it is called, so that `--help` and the first frame of
the screen wait for nothing that they do not show.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from medassist.commands.consult import consult
from medassist.core.terminal import say_how_it_ended, say_where
from medassist.core.verbs import Door, Verbs, alone

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


@app.command(cls=Door)
def verdicts() -> typer.Typer:
    """Count the verdicts in the records: wins, ties, a test, side bias, repeats."""
    from medassist.commands.verdicts import verdicts

    return alone(verdicts)


@app.command(cls=Door)
def ask() -> typer.Typer:
    """Put one question to both models and print the answers."""
    from medassist.commands.ask import EXIT_CODES, ask

    return alone(ask, epilog=EXIT_CODES)


@app.command(cls=Door)
def bench() -> typer.Typer:
    """Measure models: speed, memory, loading, quality, exams, and what to choose."""
    from medassist.commands.bench import app

    return app


@app.command(cls=Door)
def doctor() -> typer.Typer:
    """Say what is installed, what holds, what is wrong, and what to do about it."""
    from medassist.commands.doctor import doctor

    return alone(doctor)


@app.command(cls=Door)
def models() -> typer.Typer:
    """The models and pairs on this computer: list, import, pair, check, pull."""
    from medassist.commands.models import app

    return app


@app.command(cls=Door)
def starter() -> typer.Typer:
    """The pair that the program opens with: get its base, remove it, see which."""
    from medassist.commands.starter_pair import app

    return app


@app.command(cls=Door)
def finetune() -> typer.Typer:
    """Make models from text: data, LoRA, figures, report."""
    from medassist.commands.starter import finetune

    return finetune


@app.command(cls=Door)
def convert() -> typer.Typer:
    """Make GGUF files of what was trained, prove them, publish them to Ollama."""
    from convert.commands import app

    return app


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
