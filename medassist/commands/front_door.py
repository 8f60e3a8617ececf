"""The front door: the list of verbs of `medassist`.

Each verb imports its room when it is called, so that `--help` waits for nothing that it
does not show.
"""

from __future__ import annotations

import typer

from medassist.commands.consult import consult
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
def serve() -> typer.Typer:
    """Answer programs and a page on this computer over HTTP, until Ctrl-C."""
    from medassist.commands.serve import app

    return app


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
