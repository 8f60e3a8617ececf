"""A stand-in for `medassist.engine.client.Engine` that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medassist.core.errors import (
    CauseOfDeath,
    EngineDied,
    EngineError,
    LoadStopped,
    ModelFileError,
)
from medassist.core.values import (
    EngineOptions,
    Figures,
    Message,
    Mode,
    PairFiles,
    PaneInfo,
    PaneName,
    StopReason,
    TooLong,
)
from medassist.engine.wire import Answered, Loaded, Loading, Question, Reading, Written

CONTEXT = 4096


def answer_of(pane: PaneName, question: str) -> str:
    """What a pane answers unless the script says otherwise."""
    return f"The {pane} model answers to {question!r}."


@dataclass
class Script:
    """What the engines of a test do; a test changes it as it goes."""

    answers: dict[PaneName, Sequence[str]] = field(default_factory=dict)
    """Pieces of the next answers of a pane; else it says `answer_of`."""
    thoughts: dict[PaneName, str] = field(default_factory=dict)
    """What a pane thinks before it answers; three tokens."""
    hold: asyncio.Event | None = None
    """After its first piece (or before it) each answer waits for this, or a stop."""
    hold_before_first: bool = False
    hold_loading: asyncio.Event | None = None
    load_error: EngineError | None = None
    """Raised by every `start` until it is taken away."""
    bad_file: Path | None = None
    """`start` of a pair with this file fails."""
    dies_of: CauseOfDeath = "memory"
    dies: bool = False
    """The child dies after the first piece of the next question."""
    too_long: Callable[[PaneName, Question], TooLong | None] | None = None
    stop_reason: StopReason = "end"
    notices: tuple[str, ...] = ()
    name: str = "Tiny"
    trained_context: int = CONTEXT
    thinks: bool = False
    thinking_switch: bool = False
    """The chat template lets one choose whether the model thinks."""


class FakeEngine:
    """Answers in words, and remembers what it was asked."""

    def __init__(
        self, files: PairFiles, options: EngineOptions, script: Script
    ) -> None:
        self.files = files
        self.options = options
        self.script = script
        self.state: Literal["new", "loading", "ready", "dead", "closed"] = "new"
        self.confined: str | None = None
        self.loaded: Loaded | None = None
        self.starts = 0
        self.asked: list[dict[PaneName, Question]] = []
        self.modes: list[Mode] = []
        self.prepared: list[dict[PaneName, list[Message]]] = []
        self._stopped: set[PaneName] = set()
        self._stop = asyncio.Event()

    async def start(self, progress: Callable[[Loading], None] | None = None) -> Loaded:
        self.starts += 1
        self.state = "loading"
        self._stop.clear()
        file = self.files.base or self.files.tuned
        assert file is not None
        if progress:
            progress(Loading(file=file, fraction=0.43))
        await self._hold(self.script.hold_loading)
        if self._stop.is_set():
            self.state = "new"
            raise LoadStopped("stopped")
        self._fail_if_told()
        self.confined = "a test"
        self.loaded = Loaded(
            panes={pane: self._info(pane, file) for pane in self.files.panes},
            notices=self.script.notices,
        )
        self.state = "ready"
        return self.loaded

    def _fail_if_told(self) -> None:
        error = self.script.load_error
        bad = self.script.bad_file
        if bad and bad in (*self.files.files("base"), *self.files.files("tuned")):
            error = ModelFileError(f"{bad}: the file ends in the middle.", bad)
        if error:
            self.state = "dead" if isinstance(error, EngineDied) else "new"
            raise error

    def _info(self, pane: PaneName, file: Path) -> PaneInfo:
        return PaneInfo(
            file=file,
            adapter=self.files.adapter if pane == "tuned" else None,
            name=f"{self.script.name} {pane}",
            architecture="llama",
            quantization="Q8_0",
            parameters=1_000_000,
            context=self.options.context or CONTEXT,
            trained_context=self.script.trained_context,
            template="model",
            shares_prefill=False,
            threads=2,
            flash_attention=False,
            kv="f16",
            thinks=self.script.thinks,
            thinking_switch=self.script.thinking_switch,
        )

    async def ask(
        self,
        panes: Mapping[PaneName, Question],
        mode: Mode = "together",
        asker: str = "",
    ) -> AsyncIterator[Reading | Written | Answered | TooLong]:
        if self.state != "ready":
            raise EngineDied("The models' process has ended.")
        self.asked.append(dict(panes))
        self.modes.append(mode)
        self._stopped.clear()
        self._stop.clear()
        if self.script.too_long:
            long = [self.script.too_long(p, q) for p, q in panes.items()]
            if any(long):
                for event in long:
                    if event:
                        yield event
                return
        for pane, question in panes.items():
            async for event in self._answer(pane, question):
                yield event

    async def _answer(
        self, pane: PaneName, question: Question
    ) -> AsyncIterator[Reading | Written | Answered]:
        script = self.script
        yield Reading(id=1, pane=pane, done=512, total=2048, reused=0)
        await asyncio.sleep(0)
        said = question.messages[-1].content
        pieces = script.answers.get(pane) or answer_of(pane, said).split(" ")
        if pane not in script.answers:
            pieces = [piece + " " for piece in pieces[:-1]] + [pieces[-1]]
        if script.hold_before_first:
            await self._hold(script.hold)
        text, thought = question.written, script.thoughts.get(pane, "")
        if question.written:
            thought = ""
        if thought:
            yield Written(
                id=1, pane=pane, text="", tokens=3, thought=thought, thought_tokens=3
            )
        for count, piece in enumerate(pieces, start=1):
            if self._is_stopped(pane):
                break
            text += piece
            yield Written(
                id=1,
                pane=pane,
                text=piece,
                tokens=count,
                thought_tokens=3 if thought else 0,
            )
            await asyncio.sleep(0)
            if script.dies:
                script.dies = False
                self.state = "dead"
                raise EngineDied(
                    f"{self.files.base}: the process that ran this model was killed "
                    "while it answered, most likely because memory ran out.",
                    script.dies_of,
                )
            if not script.hold_before_first:
                await self._hold(script.hold)
        stopped = self._is_stopped(pane)
        yield Answered(
            id=1,
            pane=pane,
            text=text,
            thought=thought,
            figures=Figures(
                ending="stopped" if stopped else script.stop_reason,
                tokens_read=2048,
                tokens_reused=0,
                tokens_written=len(pieces),
                ttft_s=0.25,
                tok_per_s=20.0,
                context_used=812,
                tokens_thought=3 if thought else 0,
            ),
            sampling=question.sampling,
        )

    def _is_stopped(self, pane: PaneName) -> bool:
        return self._stop.is_set() or pane in self._stopped

    async def _hold(self, event: asyncio.Event | None) -> None:
        """Wait for `event`, for a stop of everything, or for one of a pane."""
        if event is None:
            return
        waits = [asyncio.create_task(e.wait()) for e in (event, self._stop)]
        while not any(wait.done() for wait in waits) and not self._stopped:
            await asyncio.wait(waits, timeout=0.005, return_when="FIRST_COMPLETED")
        for wait in waits:
            wait.cancel()

    def stop(self, pane: PaneName | None = None) -> None:
        if pane is None:
            self._stop.set()
        else:
            self._stopped.add(pane)

    async def prepare(self, panes: Mapping[PaneName, Sequence[Message]]) -> None:
        self.prepared.append({pane: list(said) for pane, said in panes.items()})

    def memory(self) -> int | None:
        return 1_234_000_000 if self.state == "ready" else None

    async def close(self) -> None:
        self.state = "closed"


class FakeEngines:
    """Makes the engines of a test and keeps them."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.made: list[FakeEngine] = []

    def __call__(self, files: PairFiles, options: EngineOptions) -> FakeEngine:
        engine = FakeEngine(files, options, self.script)
        self.made.append(engine)
        return engine

    @property
    def last(self) -> FakeEngine:
        return self.made[-1]
