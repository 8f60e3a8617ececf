"""The engine's child process: owns llama.cpp, reads commands and sends events.

It gives up network and file system before it opens a model (`confined`), and ends when
the app does. Started by `client.Engine` alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medassist.core.errors import (
    EngineError,
    LoadStopped,
    QuestionRefused,
    file_of,
)
from medassist.core.values import PaneName
from medassist.engine.frames import UnknownMessage, leave
from medassist.engine.wire import (
    COMMANDS,
    Ask,
    CommandFailed,
    DoesNotFit,
    Done,
    Load,
    Loaded,
    Loading,
    Prepare,
    Stop,
)

if TYPE_CHECKING:
    from medassist.engine.child_startup import Confined
    from medassist.engine.context import Context
    from medassist.engine.loaded_pair import LoadedPair

LOADING = 0
"""The number that a `Stop` names to end the loading."""
PROGRESS_EVERY_S = 0.05


class Stops:
    """Stop requests, shared by two threads: which request runs and which to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: set[tuple[int, PaneName | None]] = set()
        self._running: int | None = None
        self._yielding = False
        self._contexts: Mapping[PaneName, Context] = {}
        self._newest = LOADING

    def ask(self, stop: Stop) -> None:
        """Stop a request: now if it runs, else when it begins."""
        with self._lock:
            self._wanted.add((stop.id, stop.pane))
            if stop.id == self._running:
                self._abort(stop.pane)

    def arrived(self, request: int) -> None:
        """Note a new question, which interrupts a running preparation."""
        with self._lock:
            self._newest = request
            if self._yielding:
                self._abort(None)

    def begin(
        self, request: int, contexts: Mapping[PaneName, Context], *, yielding: bool
    ) -> None:
        """Note that `request` begins on `contexts`."""
        with self._lock:
            self._running, self._yielding = request, yielding
            self._contexts = contexts
            for context in contexts.values():
                context.resume()
            if yielding and self._newest > request:
                self._abort(None)
            for number, pane in self._wanted:
                if number == request:
                    self._abort(pane)
            self._wanted = {w for w in self._wanted if w[0] > request}

    def end(self) -> None:
        """Note that nothing runs."""
        with self._lock:
            self._running, self._yielding, self._contexts = None, False, {}

    def loading_stopped(self) -> bool:
        with self._lock:
            return (LOADING, None) in self._wanted

    def _abort(self, pane: PaneName | None) -> None:
        for name, context in self._contexts.items():
            if pane in (None, name):
                context.abort()


class Worker:
    """The child's main loop."""

    def __init__(self, process: Confined) -> None:
        self.process = process
        self.channel = process.channel
        self.stops = Stops()
        self.commands: queue.SimpleQueue[Ask | Prepare] = queue.SimpleQueue()
        self._asker = ""
        self._told_at = 0.0

    def run(self) -> None:
        """Load the pair that the first command names, then serve until the end."""
        load = self.channel.receive(COMMANDS)
        if not isinstance(load, Load):
            return
        # Native libraries first: once files are out of reach they cannot be loaded.
        from medassist.core.gguf import shards
        from medassist.engine.weights import start_llama

        start_llama()
        named = {f.resolve() for p in load.files.panes for f in load.files.files(p)}
        self.process.keep_files({shard for file in named for shard in shards(file)})
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            with self._load(load) as pair:
                self.channel.send(
                    Loaded(
                        panes={name: p.info for name, p in pair.panes.items()},
                        notices=tuple(pair.notices),
                    )
                )
                while True:
                    self._serve(self.commands.get(), pair)
        except EngineError as error:
            self.channel.send(
                CommandFailed(
                    message=str(error),
                    file=file_of(error),
                    fatal=True,
                    stopped=isinstance(error, LoadStopped),
                )
            )

    def _load(self, load: Load) -> LoadedPair:
        from medassist.engine.loaded_pair import LoadedPair

        return LoadedPair(load.files, load.options, self._loading)

    def _loading(self, file: Path, fraction: float) -> bool:
        now = time.monotonic()
        if fraction >= 1 or now - self._told_at >= PROGRESS_EVERY_S:
            self._told_at = now
            self.channel.send(Loading(file=file, fraction=fraction))
        return not self.stops.loading_stopped()

    def _listen(self) -> None:
        """Read commands while the main thread computes."""
        while True:
            try:
                command = self.channel.receive(COMMANDS)
            except UnknownMessage as error:
                self.channel.send(
                    CommandFailed(message=f"The app was refused: {error}.", fatal=True)
                )
                command = None
            match command:
                case Stop():
                    self.stops.ask(command)
                case Ask():
                    self.stops.arrived(command.id)
                    self.commands.put(command)
                case Prepare():
                    self.commands.put(command)
                case _:
                    leave()

    def _serve(self, command: Ask | Prepare, pair: LoadedPair) -> None:
        try:
            if isinstance(command, Ask):
                self._answer(command, pair)
            else:
                self._prepare(command, pair)
            self.channel.send(Done(id=command.id))
        except EngineError as error:
            self.channel.send(
                CommandFailed(
                    id=command.id,
                    message=str(error),
                    file=file_of(error),
                    refused=isinstance(error, QuestionRefused),
                )
            )
        finally:
            self.stops.end()

    def _answer(self, ask: Ask, pair: LoadedPair) -> None:
        from medassist.engine.generate import RunningAnswer, check_length, take_turns

        self.stops.begin(ask.id, contexts_of(pair, ask), yielding=False)
        if ask.asker != self._asker:
            # How soon the first token comes tells what is in the cache: to nobody else
            # than to the one who put it there.
            self._asker = ask.asker
            for pane in pair.panes.values():
                pane.context.clear()
        answers: list[RunningAnswer] = []
        for checked in check_length(ask, pair.panes):
            if isinstance(checked, RunningAnswer):
                answers.append(checked)
            else:
                self.channel.send(
                    DoesNotFit(id=ask.id, pane=checked.pane, too_long=checked)
                )
        for step in take_turns(answers, ask.mode):
            if step is not None:
                self.channel.send(step)

    def _prepare(self, request: Prepare, pair: LoadedPair) -> None:
        from medassist.engine.generate import prepare

        self.stops.begin(request.id, contexts_of(pair, request), yielding=True)
        for name, messages in request.panes.items():
            pane = pair.panes[name]
            tokens = pane.prompts.tokens(messages, ask=False)
            if len(tokens) < pane.info.context:
                prepare(pane, tokens)


def contexts_of(pair: LoadedPair, request: Ask | Prepare) -> dict[PaneName, Context]:
    """The contexts that a request uses."""
    return {name: pair.panes[name].context for name in request.panes}


def serve(process: Confined) -> None:
    """Load the pair that the app names, and answer until the app goes."""
    Worker(process).run()
