"""Measures models of a running Ollama, beside the app's own.

The same words, the same length, the same number of threads and size of the cache. Its
template and its sampler stay its own, as its user has them: it is what a user sees.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import psutil

from medassist.bench.app_session import TRIAL, question
from medassist.bench.errors import BenchError
from medassist.bench.events import Event, StepFailed
from medassist.bench.process_memory import process_memory
from medassist.bench.results import (
    ROUND,
    Figure,
    FileFacts,
    Kind,
    Parameters,
    SettingsFacts,
)
from medassist.bench.work import Work, settings

PROGRAM = "ollama"
LOADS = 3
WARM = "warm"
ONE, BOTH = "one", "both"
MEMORY_OF_ALL = (
    "the memory is that of all of Ollama's processes, with every model that it holds "
    "by then"
)


class ServedAnswer(Protocol):
    """Times of an answer, as the server tells them."""

    @property
    def ttft_s(self) -> float: ...
    @property
    def load_s(self) -> float: ...
    @property
    def read_s(self) -> float: ...
    @property
    def write_s(self) -> float: ...
    @property
    def read(self) -> int: ...
    @property
    def written(self) -> int: ...
    @property
    def tok_per_s(self) -> float | None: ...


class RunningOllama(Protocol):
    """Protocol of a running Ollama."""

    def ask(
        self, name: str, text: str, tokens: int, context: int, threads: int
    ) -> ServedAnswer: ...
    def unload(self, name: str) -> None: ...


@dataclass(frozen=True)
class MeasuredOllamaModel:
    """A model of a server, as a row.

    Attributes:
        called: its name there.
        facts: of it.
    """

    called: str
    facts: FileFacts
    adapter_facts: None = None

    @property
    def name(self) -> str:
        """Name of the row."""
        return self.facts.name


@dataclass(frozen=True)
class ServedStep:
    """A step that measures a served model."""

    kind: Kind
    target: MeasuredOllamaModel
    test: Parameters
    depends: tuple[str, ...] = ()
    settings: SettingsFacts | None = None


@dataclass
class OllamaModels:
    """All served models that are measured.

    Attributes:
        server: runs them.
        version: of it.
        models: the first one is the left pane where two are asked at once, the second
            one the right; a single one is asked twice.
        is_local: it runs on this computer.
        pids: of the server's processes.
    """

    server: RunningOllama
    version: str
    models: Sequence[MeasuredOllamaModel]
    is_local: bool = True
    pids: Callable[[], list[int]] = field(default_factory=lambda: processes)
    _count: int = 0

    def steps(self, work: Work) -> list[ServedStep]:
        """Loading, one question at a time, two at once, and memory."""
        found: list[ServedStep] = []
        for model in self.models:
            found += self._of_model(work, model)
        return found

    def measure(self, work: Work) -> Generator[Event]:
        """Run the steps that are left.

        Raises:
            BenchError: the file of results cannot be written.
        """
        for model in self.models:
            left = [s for s in self._of_model(work, model) if not work.done(s)]
            if not left:
                continue
            try:
                yield from self._model(work, model, left)
            except BenchError as error:
                yield StepFailed(model.name, PROGRAM, str(error))

    def _model(
        self, work: Work, model: MeasuredOllamaModel, left: Sequence[ServedStep]
    ) -> Generator[Event]:
        loads = [step for step in left if step.kind == "load"]
        for step in loads:
            yield work.begin(step, "load")
            self.server.unload(model.called)
            loaded = self._ask(work, model, 1, 1).load_s
            yield work.keep(
                step, samples={"ready_s": (loaded,)}, notes=self._notes(work)
            )
        rest = [step for step in left if step.kind != "load"]
        if not rest:
            return
        yield from work.quiet(self._own())
        # It is loaded and warm now, and tells how many words make the length.
        trial = self._ask(work, model, TRIAL, 1)
        wanted = max((1, *work.wishes.prompts))
        words = work.words or max(1, round(TRIAL * wanted / max(1, trial.read)))
        for step in rest:
            if step.kind == "memory":
                yield work.begin(step, "memory")
                yield work.keep(
                    step, figures=memory_of(self._own()), notes=(MEMORY_OF_ALL,)
                )
                continue
            yield work.begin(step, f"{PROGRAM}, {step.test['panes']}")
            watching = work.observer.begin(self._own())
            found = self._asked(work, step, words)
            yield work.keep(
                step,
                samples=samples(found),
                disturbance=watching.end(),
                notes=self._notes(work),
            )

    def _asked(
        self, work: Work, step: ServedStep, words: int
    ) -> dict[str, ServedAnswer]:
        tokens = max((1, *work.wishes.written))
        if step.test["panes"] == ONE:
            return {"": self._ask(work, step.target, words, tokens)}
        panes = {" base": self.models[0], " tuned": step.target}
        with ThreadPoolExecutor(len(panes)) as both:
            asked = {
                pane: both.submit(self._ask, work, model, words, tokens)
                for pane, model in panes.items()
            }
            return {pane: one.result() for pane, one in asked.items()}

    def _ask(
        self, work: Work, model: MeasuredOllamaModel, words: int, tokens: int
    ) -> ServedAnswer:
        self._count += 1
        return self.server.ask(
            model.called,
            # A number that no earlier sitting gave: the server keeps what it has read.
            question(f"{work.run}-{self._count}", words),
            tokens,
            work.wishes.context,
            settings(work.wishes)[0].threads,
        )

    def _of_model(self, work: Work, model: MeasuredOllamaModel) -> list[ServedStep]:
        wishes = work.wishes
        found: list[ServedStep] = []
        depends = (
            f"{PROGRAM} {self.version}",
            f"threads {settings(wishes)[0].threads}",
            f"context {wishes.context}",
        )
        if "load" in wishes.tests:
            found += [
                ServedStep("load", model, {"file": WARM, ROUND: at}, depends)
                for at in range(LOADS)
            ]
        if "app" in wishes.tests:
            test = {
                "n_prompt": max((1, *wishes.prompts)),
                "n_gen": max((1, *wishes.written)),
            }
            # The first of two is the left pane of the second, and of none by itself.
            panes = [ONE]
            if len(self.models) == 1 or model is not self.models[0]:
                panes.append(BOTH)
            beside = (f"beside {self.models[0].facts.sha256}",)
            found += [
                ServedStep(
                    "app",
                    model,
                    {"panes": pane, **test, ROUND: at},
                    depends + (beside if pane == BOTH else ()),
                )
                for at in range(max(wishes.repetitions, wishes.ttft))
                for pane in panes
            ]
        if "memory" in wishes.tests and self.is_local:
            found.append(ServedStep("memory", model, {}, depends))
        return found

    def _own(self) -> list[int]:
        return self.pids() if self.is_local else []

    def _notes(self, work: Work) -> tuple[str, ...]:
        where = "" if self.is_local else " on another computer"
        wishes = work.wishes
        return (
            f"Ollama {self.version}{where}: with its own template, and asked for "
            f"{settings(wishes)[0].threads} threads and a context of "
            f"{wishes.context:,} tokens; loading and tok/s by its own timings",
        )


def samples(found: dict[str, ServedAnswer]) -> dict[str, tuple[float, ...]]:
    """The figures to keep of answers, by the suffix of their pane."""
    kept: dict[str, tuple[float, ...]] = {}
    for pane, answer in found.items():
        kept[f"ttft_s{pane}"] = (answer.ttft_s,)
        if answer.tok_per_s is not None:
            kept[f"tok_per_s{pane}"] = (answer.tok_per_s,)
        kept[f"tokens_read{pane}"] = (float(answer.read),)
        kept[f"tokens_written{pane}"] = (float(answer.written),)
        kept[f"load_s{pane}"] = (answer.load_s,)
        kept[f"read_s{pane}"] = (answer.read_s,)
        kept[f"write_s{pane}"] = (answer.write_s,)
    return kept


def processes() -> list[int]:
    """The server's processes on this computer and their children."""
    found: dict[int, None] = {}
    for process in psutil.process_iter(["name"]):
        name = str(process.info.get("name") or "").lower()
        if name.removesuffix(".exe") != PROGRAM:
            continue
        found[process.pid] = None
        try:
            found |= dict.fromkeys(p.pid for p in process.children(recursive=True))
        except psutil.Error:
            continue
    return list(found)


def memory_of(pids: Iterable[int]) -> dict[str, Figure]:
    """Total memory of the processes; empty if none can be read."""
    held = [found for pid in pids if (found := process_memory(pid)) is not None]
    figures: dict[str, Figure] = {}
    for name in ("resident", "private", "mapped"):
        values = [v for one in held if (v := getattr(one, name)) is not None]
        if values:
            figures[name] = Figure(value=sum(values), unit="B")
    return figures
