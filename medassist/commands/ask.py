"""`medassist ask`: its options; `ask_run.py` does the work."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.commands.options import (
    AdapterFile,
    BaseFile,
    Context,
    GpuLayers,
    Kv,
    KvName,
    ModeName,
    PairName,
    PaneChoice,
    Threads,
    TunedFile,
    expect_one_way,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medassist.core.values import PaneName, Sampling
    from medassist.settings import Settings

EXIT_CODES = """
Exit codes: 0 answered; 1 a model or the engine failed; 2 wrong usage, or a question
that is empty or not UTF-8; 3 the question does not fit; 130 stopped by Ctrl-C (what
was written is printed); 141 standard output was closed.
"""


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
        typer.Option(
            min=0,
            help="Longest answer, at most half of the context; 0: until it ends by "
            "itself.",
        ),
    ] = None,
    max_thought_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Longest thought of a model that thinks before it answers; 0: as "
            "long as an answer has room.",
        ),
    ] = None,
    think: Annotated[
        bool | None,
        typer.Option(
            "--think/--no-think",
            help="Whether it thinks, where its chat template lets one choose.",
        ),
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
    pair. Two answers are printed one below the other, on a
    terminal the first as it is written.
    Progress is shown on a terminal only. Red flags in the question, and once the
    intended use, are told on standard error.
    """
    from medassist.commands.ask_notice import say_intended_use
    from medassist.commands.ask_run import AskRequest, choose_files, read_question, run
    from medassist.engine.client import Engine
    from medassist.engine.confine import forbid_core_dumps
    from medassist.library.tuned_threads import with_tuned_threads
    from medassist.starter import STARTER, default_pair

    forbid_core_dumps()
    text = read_question(question, sys.stdin.buffer)
    pane = only.value if only else None
    expect_one_way(pair, base, tuned, adapter)
    asked, known = None, None
    if not any((base, tuned, adapter)):
        from medassist.library.registry import load_registry

        registry = load_registry()
        name = pair or registry.default or STARTER
        asked, named = registry.pair(name), registry.files(name)
        if named is None:
            known = default_pair()
            named = known.files
        base, tuned, adapter = named.base, named.tuned, named.adapter
    files, notice = choose_files(base, tuned, adapter, pane)
    settings = _settings(context, threads, gpu_layers, kv)
    usual = known.sampling_for(settings.sampling) if known else settings.sampling
    said = {
        "seed": seed,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "max_thought_tokens": max_thought_tokens,
        "thinking": None if think is None else "on" if think else "off",
    }
    panes: tuple[PaneName, ...] = (pane,) if pane else files.panes
    by_pane: dict[PaneName, tuple[str | None, Sampling]] = {}
    if asked is not None:
        for each in panes:
            own = asked.asked(each)
            chosen = own.sampling or usual
            by_pane[each] = (
                (own.system or None) if system is None else system,
                _sampling(chosen, said),
            )
    request = AskRequest(
        question=text,
        files=files,
        panes=panes,
        mode=mode.value,
        sampling=_sampling(usual, said),
        options=with_tuned_threads(files, settings.engine_options),
        system=system,
        by_pane=by_pane,
        notice=notice,
        lacking=known.lacking if known else "",
        json=json,
    )
    say_intended_use(settings, sys.stderr)
    raise typer.Exit(int(run(request, Engine)))


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
    settings: Sampling, said: Mapping[str, int | float | str | None]
) -> Sampling:
    """The user's sampling, with what the command line says in its place."""
    from dataclasses import asdict

    from pydantic import ValidationError

    from medassist.core.validated import validated

    changes: dict[str, int | float | str | None] = {
        name: value for name, value in said.items() if value is not None
    }
    for name in ("max_tokens", "max_thought_tokens"):
        if changes.get(name) == 0:
            changes[name] = None
    try:
        return validated(type(settings), {**asdict(settings), **changes})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0]).replace("_", "-")
        raise typer.BadParameter(f"--{name}: {problem['msg']}") from None
