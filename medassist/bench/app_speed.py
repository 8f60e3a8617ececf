"""Measures the app's own speed: template, sampler, red flags and drawing included.

The raw speed is what llama.cpp can do; this is what a user gets. One table shows both,
since the difference is what puzzles everybody who compares them.
"""

from __future__ import annotations

from collections.abc import Generator

from medassist.bench.app_session import TRIAL, AnswerTimes, Asking
from medassist.bench.events import Event, StepFailed
from medassist.bench.process_memory import process_memory
from medassist.bench.results import ROUND, Figure
from medassist.bench.targets import Target
from medassist.bench.work import Step, Work, in_rounds, settings
from medassist.core.errors import EngineError
from medassist.core.values import EngineOptions, PaneName
from medassist.library.fit import need

BLOCKS = 2
"""Blocks of questions, so that each row has an early one and a late one."""
Panes = tuple[PaneName, ...]


def steps(work: Work) -> list[Step]:
    """All questions to all rows, block by block, and each row's memory."""
    found: list[Step] = []
    for number, order in in_rounds(BLOCKS, len(work.targets)):
        for row in order:
            found += _block(work, work.targets[row], number)
    return found


def measure(work: Work) -> Generator[Event]:
    """Run the steps that are left.

    Raises:
        BenchError: the file of results cannot be written.
    """
    broken: set[int] = set()
    for number, order in in_rounds(BLOCKS, len(work.targets)):
        for row in order:
            target = work.targets[row]
            left = [s for s in _block(work, target, number) if not work.done(s)]
            if row in broken or not left:
                continue
            asking = Asking(target.pair, _options(work), max((1, *work.wishes.written)))
            try:
                asking.load()
                yield from _ask(work, asking, left)
            except EngineError as error:
                broken.add(row)
                yield StepFailed(target.name, "through the app", str(error))
            finally:
                asking.close()


def _ask(work: Work, asking: Asking, left: list[Step]) -> Generator[Event]:
    yield from work.quiet([asking.pid])
    all_panes = sets_of_panes(left[0].target)
    visit = work.observer.begin([asking.pid])
    # It warms up, and tells how many words make a prompt of the length.
    trial = asking.ask(TRIAL, all_panes[-1])
    read = max(found.read for found in trial.values())
    wanted = max((1, *work.wishes.prompts))
    words = max(1, round(TRIAL * wanted / read))
    work.words = work.words or words
    for step in left:
        if step.kind == "memory":
            yield work.begin(step, "memory")
            yield work.keep(step, figures=_memory(work, asking, step.target))
            continue
        panes = next(p for p in all_panes if called(p) == step.test["panes"])
        yield work.begin(step, f"through the app, {step.test['panes']}")
        watching = work.observer.begin([asking.pid])
        found = asking.ask(words, panes)
        yield work.keep(
            step, samples=samples(found), disturbance=watching.end(around=visit)
        )


def samples(found: dict[PaneName, AnswerTimes]) -> dict[str, tuple[float, ...]]:
    """The figures to keep of a question; by pane where both were asked."""
    kept: dict[str, tuple[float, ...]] = {}
    for pane, asked in found.items():
        behind = f" {pane}" if len(found) > 1 else ""
        kept[f"ttft_s{behind}"] = (asked.ttft_s,)
        if asked.tok_per_s is not None:
            kept[f"tok_per_s{behind}"] = (asked.tok_per_s,)
        kept[f"tokens_read{behind}"] = (float(asked.read),)
        kept[f"tokens_written{behind}"] = (float(asked.written),)
    return kept


def sets_of_panes(target: Target) -> list[Panes]:
    """The panes to ask: each alone, and both together where there are two."""
    if target.adapter is None:
        return [("base",)]
    return [("tuned",), ("base", "tuned")]


def called(panes: Panes) -> str:
    """Name of a set of panes in a line of results."""
    return "both" if len(panes) > 1 else "".join(panes)


def _block(work: Work, target: Target, number: int) -> list[Step]:
    wishes = work.wishes
    facts = settings(wishes)[0].facts(wishes.context)
    found: list[Step] = []
    if "app" in wishes.tests:
        asks = max(wishes.repetitions, wishes.ttft)
        test = {
            "n_prompt": max((1, *wishes.prompts)),
            "n_gen": max((1, *wishes.written)),
        }
        found += [
            Step("app", target, {"panes": called(panes), **test, ROUND: at}, facts)
            for at in range(number, asks, BLOCKS)
            for panes in sets_of_panes(target)
        ]
    if "memory" in wishes.tests and number == BLOCKS - 1:
        found.append(Step("memory", target, {}, facts))
    return found


def _options(work: Work) -> EngineOptions:
    first = settings(work.wishes)[0]
    return EngineOptions(
        context=work.wishes.context,
        threads=first.threads,
        gpu_layers=first.gpu_layers,
        kv=first.kv,
        flash_attention=first.flash,
    )


def _memory(work: Work, asking: Asking, target: Target) -> dict[str, Figure]:
    held = process_memory(asking.pid)
    estimate = need(target.pair, _options(work))
    found = {"estimated": Figure(value=estimate.total, unit="B")}
    for name in ("resident", "peak", "private", "mapped"):
        value = getattr(held, name) if held is not None else None
        if value is not None:
            found[name] = Figure(value=value, unit="B")
    return found
