"""The engine's client in the app: a loaded pair in a child process of its own.

Native code can block, write on the terminal or abort. Here it does so elsewhere:
a child that dies becomes an error that names file and cause, and can be started
again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import BaseModel

from medassist.core.errors import (
    EngineDied,
    EngineError,
    LoadStopped,
    ModelFileError,
    QuestionRefused,
)
from medassist.core.values import (
    EngineOptions,
    Message,
    Mode,
    PairFiles,
    PaneName,
    TooLong,
)
from medassist.engine.async_child import AsyncChild
from medassist.engine.death import death
from medassist.engine.frames import (
    FrameTooLarge,
    Hello,
    UnknownMessage,
    frame,
    read_message,
)
from medassist.engine.last_words import LastWords
from medassist.engine.replaced import why_ended
from medassist.engine.wire import (
    EVENTS,
    Answered,
    Ask,
    CommandFailed,
    DoesNotFit,
    Done,
    Event,
    Load,
    Loaded,
    Loading,
    Prepare,
    Question,
    Reading,
    Stop,
    Written,
)

LOAD = 0
"""The number under which the events of loading are waited for."""
STOP_LOAD_WITHIN_S = 0.15
WORKER = "medassist.engine.worker"

AskEvent = Reading | Written | Answered | TooLong
State = Literal["new", "loading", "ready", "dead", "closed"]


class Engine:
    """A pair of models that answers questions.

    Args:
        files: the pair's files.
        options: how to load it.

    Attributes:
        state: `new`, `loading`, `ready`, `dead` (start it again) or `closed`.
        confined: what holds the child, once it has said so.
        loaded: the panes, once they are there.
    """

    def __init__(self, files: PairFiles, options: EngineOptions | None = None) -> None:
        self.files = files
        self.options = options or EngineOptions()
        self.state: State = "new"
        self.confined: str | None = None
        self.loaded: Loaded | None = None
        self._child: AsyncChild | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Queue[Event | EngineDied]] = {}
        self._request = LOAD
        self._asking: int | None = None
        self._stopping_load = False
        self._file: Path | None = None
        self._death: EngineDied | None = None

    async def start(self, progress: Callable[[Loading], None] | None = None) -> Loaded:
        """Start the child and load the pair; may be called again after a failure.

        Args:
            progress: is called with each step of the loading.

        Raises:
            ModelFileError: a file is no model, is damaged, or does not fit.
            LoadStopped: `stop` was called meanwhile.
            EngineDied: the child ended, as on a file that makes llama.cpp abort.
            EngineError: anything else, such as too little memory.
        """
        if self.state in ("loading", "ready"):
            raise EngineError("This pair is loaded already.")
        await self._end_child()
        self.state = "loading"
        self.loaded = None
        self._stopping_load = False
        self._death = None
        self._file = next(iter(self._all_files()))
        with self._listening(LOAD) as events:
            try:
                await self._spawn()
                self._require_open()
                await self._send(Load(files=self.files, options=self.options))
                self.loaded = await self._wait_for_load(events, progress)
            except BaseException:
                await self._end_child()
                if self.state == "loading":
                    self.state = "dead"
                raise
        self._require_open()
        self.state = "ready"
        return self.loaded

    async def ask(
        self,
        panes: Mapping[PaneName, Question],
        mode: Mode = "together",
        asker: str = "",
    ) -> AsyncGenerator[AskEvent]:
        """Ask a question in one pane or both, and yield events.

        Ends when each pane has its `Answered`; or, where a prompt does not fit, after
        a `TooLong` for each pane that is the matter, and nothing has run. Leaving the
        iteration early stops the answers, once the generator is closed (`aclose`).

        Args:
            panes: what each of them is asked.
            mode: how they share the processor.
            asker: who asks. What the caches hold of somebody else's is forgotten.

        Raises:
            EngineDied: the child ended; what was written before is the caller's.
            QuestionRefused: a model cannot be asked this as it stands.
            EngineError: a template or llama.cpp failed, or the pair is not ready.
        """
        missing = [p for p in panes if p not in self.files.panes]
        if missing:
            raise EngineError(f"This pair has no {missing[0]} pane.")
        if self.state == "dead" and self._death is not None:
            # It may have died while nothing was asked, and nobody been told.
            raise EngineDied(str(self._death), self._death.cause)
        if self.state != "ready":
            raise EngineError("The pair is not loaded. Load it, then ask again.")
        if self._asking is not None:
            raise EngineError("The pair still answers. Stop it, or wait.")
        request = self._asking = self._next_request()
        over = False
        try:
            with self._listening(request) as events:
                await self._send(
                    Ask(id=request, mode=mode, panes=dict(panes), asker=asker)
                )
                while not over:
                    match event := await self._next(events):
                        case Reading() | Written() | Answered():
                            yield event
                        case DoesNotFit():
                            yield event.too_long
                        case _:
                            over = isinstance(event, Done)
        finally:
            if not over:
                self._post(Stop(id=request))
            self._asking = None

    def stop(self, pane: PaneName | None = None) -> None:
        """Stop loading, or the answer in `pane`, or in both. Returns at once."""
        if self.state == "loading":
            self._stopping_load = True
            self._post(Stop(id=LOAD))
            asyncio.get_running_loop().call_later(STOP_LOAD_WITHIN_S, self._kill_loader)
        elif self._asking is not None:
            self._post(Stop(id=self._asking, pane=pane))

    async def prepare(self, panes: Mapping[PaneName, Sequence[Message]]) -> None:
        """Read finished conversations into the caches in the background.

        A question that comes meanwhile goes first. Nothing is lost if this fails:
        the next question then takes longer.
        """
        if self.state != "ready":
            return
        request = self._next_request()
        with self._listening(request) as events, contextlib.suppress(EngineError):
            known: dict[PaneName, tuple[Message, ...]] = {
                n: tuple(m) for n, m in panes.items() if n in self.files.panes
            }
            await self._send(Prepare(id=request, panes=known))
            while not isinstance(await self._next(events), Done):
                pass

    def memory(self) -> int | None:
        """Resident bytes of the child; `None` without one."""
        return self._child.memory() if self._child else None

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid if self._child else None

    async def close(self) -> None:
        """End the child and free its memory."""
        self.state = "closed"
        await self._end_child()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # The child process.

    async def _spawn(self) -> None:
        self._child = await AsyncChild.start(WORKER)
        self._reading = asyncio.create_task(self._read_events(self._child))

    async def _wait_for_load(
        self,
        events: asyncio.Queue[Event | EngineDied],
        progress: Callable[[Loading], None] | None,
    ) -> Loaded:
        while True:
            match event := await self._next(events):
                case Hello():
                    self.confined = event.confined
                case Loading():
                    self._file = event.file
                    if progress is not None:
                        progress(event)
                case Loaded():
                    if self._stopping_load:
                        raise LoadStopped("Loading was stopped.")
                    return event
                case _:
                    pass

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        await child.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _kill_loader(self) -> None:
        # Memory for a cache is asked for in one native call that nothing interrupts;
        # a pair that is not loaded yet has nothing to lose.
        if self.state == "loading" and self._stopping_load and self._child:
            self._child.kill()

    # Messages.

    @contextlib.contextmanager
    def _listening(self, request: int) -> Generator[asyncio.Queue[Event | EngineDied]]:
        queue: asyncio.Queue[Event | EngineDied] = asyncio.Queue()
        self._waiting[request] = queue
        try:
            yield queue
        finally:
            del self._waiting[request]

    async def _next(self, events: asyncio.Queue[Event | EngineDied]) -> Event:
        event = await events.get()
        if isinstance(event, EngineDied):
            self._require_open()
            if self._stopping_load and self.state == "loading":
                raise LoadStopped("Loading was stopped.")
            raise event
        if isinstance(event, CommandFailed):
            if event.stopped:
                raise LoadStopped(event.message)
            if event.file is not None:
                raise ModelFileError(event.message, event.file)
            if event.refused:
                raise QuestionRefused(event.message)
            raise EngineError(event.message)
        return event

    def _require_open(self) -> None:
        if self.state == "closed":
            raise EngineError("The pair was closed.")

    def _next_request(self) -> int:
        self._request += 1
        return self._request

    async def _send(self, command: BaseModel) -> None:
        try:
            data = frame(command)
        except FrameTooLarge as error:
            raise EngineError(f"The question is too large: {error}.") from None
        except ValueError:
            raise EngineError(
                "The question or a file's name holds what is no Unicode text. Take "
                "it out, or rename the file."
            ) from None
        if self._child is None:
            raise EngineError("The pair is not loaded. Load it, then ask again.")
        await self._child.send(data)

    def _post(self, command: BaseModel) -> None:
        if self._child is not None:
            self._child.post(frame(command))

    async def _read_events(self, child: AsyncChild) -> None:
        broken = ""
        try:
            while (body := await child.receive()) is not None:
                self._deliver(read_message(body, EVENTS))
        except (FrameTooLarge, UnknownMessage) as error:
            broken = str(error)
        if broken:
            child.kill()
        code = await child.wait()
        broken = why_ended(code, broken)
        died = self._death = self._died(code, child.words, broken)
        if self.state == "ready":
            self.state = "dead"
        for queue in self._waiting.values():
            queue.put_nowait(died)

    def _deliver(self, event: Event) -> None:
        match event:
            case Hello() | Loading() | Loaded():
                request = LOAD
            case _:
                request = event.id or LOAD
        queue = self._waiting.get(request)
        if queue is not None:
            queue.put_nowait(event)

    def _all_files(self) -> list[Path]:
        files = (f for pane in self.files.panes for f in self.files.files(pane))
        return list(dict.fromkeys(files))

    def _died(self, code: int, words: LastWords, broken: str) -> EngineDied:
        if self.state == "loading" and self._file is not None:
            return death(str(self._file), "while it was loaded", code, words, broken)
        files = " and ".join(f.name for f in self._all_files())
        return death(files, "while it answered", code, words, broken)
