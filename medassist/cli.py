"""The front door: one command, `medassist`.

Each sub-command imports its room when it is called, so that `--help` and the first
frame of the screen wait for nothing that they do not show.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from convert.commands import app as convert
from medassist import __version__
from medassist.commands.models import app as models
from medassist.commands.starter import finetune
from medassist.commands.verdicts import verdicts
from medassist.core.terminal import RoomError, Verbs, say, say_where

if TYPE_CHECKING:
    from medassist.core.values import PaneName, Sampling
    from medassist.settings import Settings

FAILED = 1
USAGE = 2
STOPPED = 130

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
app.add_typer(models, name="models")
app.command()(verdicts)
app.add_typer(finetune, name="finetune")
app.add_typer(convert, name="convert")


class ModeName(StrEnum):
    """How two panes share the processor."""

    TOGETHER = "together"
    IN_TURN = "in-turn"


class PaneChoice(StrEnum):
    """One of the two panes."""

    BASE = "base"
    TUNED = "tuned"


class KvName(StrEnum):
    """Type of the KV cache."""

    F16 = "f16"
    Q8_0 = "q8_0"


BaseFile = Annotated[
    Path | None, typer.Option("--base", metavar="FILE", help="Base model, a GGUF.")
]
TunedFile = Annotated[
    Path | None,
    typer.Option("--tuned", metavar="FILE", help="Tuned model, merged, a GGUF."),
]
AdapterFile = Annotated[
    Path | None,
    typer.Option("--adapter", metavar="FILE", help="Adapter on --base, a GGUF."),
]
PairName = Annotated[
    str | None,
    typer.Option("--pair", metavar="NAME", help="A pair of `medassist models list`."),
]
Context = Annotated[
    int | None, typer.Option(min=64, help="Tokens that each pane can hold.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads; default: the physical cores.")
]
GpuLayers = Annotated[
    int | None, typer.Option(min=0, help="Layers on the GPU; default: all it can.")
]
Kv = Annotated[
    KvName | None,
    typer.Option(help="KV cache: q8_0 takes half the memory and is slower on a CPU."),
]


def _version(wanted: bool) -> None:
    if wanted:
        say(f"medassist {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def consult(
    context: typer.Context,
    base: BaseFile = None,
    tuned: TunedFile = None,
    adapter: AdapterFile = None,
    pair: PairName = None,
    mode: Annotated[
        ModeName | None,
        typer.Option(help="Both panes at once, or one after the other."),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option("--context", min=64, help="Tokens that each pane can hold."),
    ] = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: Kv = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    """Open the consult screen, unless there is a command."""
    context.obj = debug
    if context.invoked_subcommand:
        said = (base, tuned, adapter, pair, mode, tokens, threads, kv)
        if any(said) or gpu_layers:
            raise typer.BadParameter(
                "these options open the screen; for "
                f"`{context.invoked_subcommand}`, write its own after it"
            )
        return
    _expect_one_way(pair, base, tuned, adapter)
    from medassist.tui.app import run

    code = run(
        base,
        tuned,
        adapter,
        pair=pair,
        mode=mode.value if mode else None,
        context=tokens,
        threads=threads,
        gpu_layers=gpu_layers,
        kv=kv.value if kv else None,
        debug=debug,
    )
    raise typer.Exit(code)


def _expect_one_way(pair: str | None, *files: Path | None) -> None:
    if pair and any(files):
        raise typer.BadParameter("give --pair or files, not both")


EXIT_CODES = """
Exit codes: 0 answered; 1 a model or the engine failed; 2 wrong usage, or a question
that is empty or not UTF-8; 3 the question does not fit; 130 stopped by Ctrl-C (what
was written is printed); 141 standard output was closed.
"""


@app.command(epilog=EXIT_CODES)
def ask(
    question: Annotated[
        str,
        typer.Argument(
            help="The question; - reads it from standard input, which keeps it out of "
            "the shell's history and of the list of processes."
        ),
    ],
    base: BaseFile = None,
    tuned: TunedFile = None,
    adapter: AdapterFile = None,
    pair: PairName = None,
    only: Annotated[
        PaneChoice | None,
        typer.Option(help="Ask one model; its answer is printed without heading."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A system message.")
    ] = None,
    mode: Annotated[
        ModeName, typer.Option(help="Both at once, or one after the other.")
    ] = ModeName.IN_TURN,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 2, help="Same seed, same answer.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0.0, max=10.0, help="0 takes the likeliest token."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=0, help="Longest answer; 0: until it ends by itself."),
    ] = None,
    context: Context = None,
    threads: Threads = None,
    gpu_layers: GpuLayers = None,
    kv: Kv = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
) -> None:
    """Put one question to both models and print the answers.

    Without a model it is the default pair of `medassist models`, at first the starter
    pair. Two answers are printed one below the other, the first as it is written.
    Progress is shown on a terminal only. Red flags in the question, and once the
    intended use, are told on standard error.
    """
    from medassist.commands.ask import Request, choose_files, read_question, run
    from medassist.commands.ask_notice import say_intended_use
    from medassist.engine.client import Engine
    from medassist.engine.confine import forbid_core_dumps

    forbid_core_dumps()
    text = read_question(question, sys.stdin.buffer)
    pane = only.value if only else None
    _expect_one_way(pair, base, tuned, adapter)
    asked = None
    if not any((base, tuned, adapter)):
        from medassist.library.registry import STARTER, load_registry

        registry = load_registry()
        name = pair or registry.default or STARTER
        asked, named = registry.pair(name), registry.files(name)
        if named is not None:
            base, tuned, adapter = named.base, named.tuned, named.adapter
    files, notice = choose_files(base, tuned, adapter, pane)
    settings = _settings(context, threads, gpu_layers, kv)
    panes: tuple[PaneName, ...] = (pane,) if pane else files.panes
    by_pane: dict[PaneName, tuple[str | None, Sampling]] = {}
    if asked is not None:
        for each in panes:
            own = asked.asked(each)
            chosen = own.sampling or settings.sampling
            by_pane[each] = (
                (own.system or None) if system is None else system,
                _sampling(chosen, seed, temperature, max_tokens),
            )
    request = Request(
        question=text,
        files=files,
        panes=panes,
        mode=mode.value,
        sampling=_sampling(settings.sampling, seed, temperature, max_tokens),
        options=settings.engine_options,
        system=system,
        by_pane=by_pane,
        notice=notice,
        json=json,
    )
    say_intended_use(settings, sys.stderr)
    raise typer.Exit(int(run(request, Engine)))


@app.command()
def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
) -> None:
    """Say what is installed, what holds, what is wrong, and what to do about it.

    Changes nothing, asks for no passphrase, opens no records, uses no network. Exit
    code 1 where something is wrong.
    """
    from medassist.doctor.tell import run
    from medassist.tui.clipboard import programs

    copying = [p.command[0] for p in programs(os.environ, sys.platform)]
    raise typer.Exit(run(copying, as_json=json))


def _settings(
    context: int | None,
    threads: int | None,
    gpu_layers: int | None,
    kv: KvName | None,
) -> Settings:
    """The user's settings, with what the command line says in their place."""
    from medassist.settings import load_settings

    said = {
        "context": context,
        "threads": threads,
        "gpu_layers": gpu_layers,
        "kv": kv.value if kv else None,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    return load_settings().model_copy(update=changes)


def _sampling(
    settings: Sampling,
    seed: int | None,
    temperature: float | None,
    max_tokens: int | None,
) -> Sampling:
    from dataclasses import asdict

    from pydantic import ValidationError

    from medassist.core.validated import validated

    changes: dict[str, int | float | None] = {}
    if seed is not None:
        changes["seed"] = seed
    if temperature is not None:
        changes["temperature"] = temperature
    if max_tokens is not None:
        changes["max_tokens"] = max_tokens or None
    try:
        return validated(type(settings), {**asdict(settings), **changes})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0]).replace("_", "-")
        raise typer.BadParameter(f"--{name}: {problem['msg']}") from None


def main() -> NoReturn:
    """Run the command; an error becomes a sentence unless `--debug` is given."""
    _set_up_streams()
    try:
        app(prog_name="medassist")
    except Exception as error:
        if _wants_debug(sys.argv[1:]):
            say_where(error)
            sys.exit(FAILED)
        sys.exit(_report(error))
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


def _report(error: Exception) -> int:
    """Say what happened, on standard error, and return the exit code."""
    from convert.errors import ConvertError
    from finetune.errors import FinetuneError, Interrupted
    from medassist.commands.ask import AskError
    from medassist.core.card import CardError
    from medassist.core.errors import EngineError, NetworkError, SettingsError
    from medassist.library.errors import LibraryError

    match error:
        case AskError():
            code, message = int(error.code), str(error)
        case SettingsError():
            code, message = USAGE, str(error)
        case Interrupted():
            code, message = STOPPED, str(error)
        case (
            EngineError()
            | FinetuneError()
            | ConvertError()
            | CardError()
            | LibraryError()
            | NetworkError()
            | RoomError()
        ):
            code, message = FAILED, str(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            code, message = FAILED, f"{where}{error.strerror or error}"
        case _:
            code = FAILED
            message = (
                f"unexpected {type(error).__name__}: {error}. This is a fault of "
                "medassist; `medassist --debug ...` shows where it is."
            )
    say(f"medassist: {message}", err=True)
    return code
