"""Serves the answers of the pair in a process of this computer.

`ServedPair` is what the queue and the routes know of it, so that another engine can
stand behind the same API.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from medassist.consult.answer import ModelFile, Source
from medassist.core.errors import EngineDied, EngineError
from medassist.core.values import Mode, PaneInfo, PaneName, Sampling, TooLong
from medassist.engine.wire import Answered, Question, Reading, Written
from medassist.serve.errors import Refusal, ServeError
from medassist.session.fingerprints import Fingerprints

if TYPE_CHECKING:
    from medassist.session.pair import Pair
    from medassist.settings import Settings

Event = Reading | Written | Answered | TooLong
State = Literal["loading", "ok", "dead"]
BEFORE_AGAIN_S: Final = 0.5
"""Between the death of the models' process and its next start."""


@dataclass(frozen=True)
class ServedModel:
    """A model as clients name it.

    Attributes:
        pane: in which it answers.
        names: that it is asked by, the plain one first.
        root: what it is, for a person.
        parent: the name of the model that it was tuned from; empty: there is none.
        created: seconds since 1970, of its newest file.
        notice: a sentence that stands beside its answers; empty: none.
        thinks: it may think before it answers.
        size: bytes of its files; 0: not known.
        info: of the model as it was loaded; `None`: not known.
    """

    pane: PaneName
    names: tuple[str, ...]
    root: str
    parent: str
    created: int
    notice: str
    thinks: bool
    size: int = 0
    info: PaneInfo | None = None


@dataclass(frozen=True)
class Asked:
    """A question that was put.

    Attributes:
        events: until all is answered or stopped. They raise `Refusal` or an
            `EngineError` where it went wrong.
        stop: ends the answer of a pane, or of every one, with what was written of it.
    """

    events: AsyncIterator[Event]
    stop: Callable[[PaneName | None], None]


class ServedPair(Protocol):
    """Protocol of a source of answers."""

    restarts: int
    """Times that the models' process was started again."""
    mode: Mode
    """Way in which the panes share the processor where nobody says otherwise."""
    answers_from: str
    """The host that questions are sent to; empty: they stay on this computer."""

    @property
    def state(self) -> State: ...

    @property
    def at_once(self) -> int:
        """Number of questions that it answers at one time."""
        ...

    async def cleared(
        self, questions: Mapping[PaneName, Question], identifiers: str | None
    ) -> Mapping[PaneName, Question]:
        """The questions as they may be asked, where they leave this computer.

        Args:
            questions: of each pane.
            identifiers: what the client says is to be done with what may tell who
                somebody is; `None`: it does not say.

        Raises:
            Refusal: they may not be asked so.
        """
        ...

    @property
    def models(self) -> Sequence[ServedModel]: ...

    def sampling(self, pane: PaneName) -> Sampling:
        """Sampling of `pane` where a request does not say."""
        ...

    def system(self, pane: PaneName) -> str:
        """The system prompt of `pane`; empty: none."""
        ...

    async def start(self) -> None:
        """Make ready to be asked.

        Raises:
            ServeError: it cannot be.
        """
        ...

    async def ready(self) -> None:
        """Wait until it can be asked.

        Raises:
            Refusal: it cannot, and will not by waiting.
        """
        ...

    def ask(
        self, questions: Mapping[PaneName, Question], mode: Mode, asker: str
    ) -> Asked:
        """Put a question to the panes that it is for.

        Raises:
            Refusal: it cannot be put.
        """
        ...

    def memory(self) -> int | None: ...

    def provenance(self, pane: PaneName) -> dict[str, Any]:
        """Origin of `pane`'s answers, for a record of them."""
        ...

    def made_of(self, pane: PaneName) -> tuple[Source, Mapping[ModelFile, str]]:
        """The same as users' records know it, and the sha256 of its files so far."""
        ...

    async def close(self) -> None: ...


class NotLoaded(ServeError):
    """The models of the server cannot be loaded."""

    exit_code = 1


class LocalPair:
    """A pair of models in a confined process of its own.

    Args:
        pair: not loaded yet.
        settings: how it is loaded and asked.
        mode: how its panes share the processor.
        log: is told what the operator has to know; nothing of it is content.
    """

    def __init__(
        self, pair: Pair, settings: Settings, mode: Mode, log: Callable[[str], None]
    ) -> None:
        self.pair = pair
        self.at_once = 1
        self.mode: Mode = mode
        self.answers_from = ""
        self.restarts = 0
        self._settings = settings
        self._log = log
        self._deaths = 0
        self._starting_again: asyncio.Task[None] | None = None
        self._hashing: asyncio.Task[None] | None = None
        self._fingerprints = Fingerprints()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @property
    def state(self) -> State:
        self._look()
        now = self.pair.state
        if self._starting_again is not None or now in ("starting", "loading"):
            return "loading"
        return "ok" if now == "ready" else "dead"

    @property
    def models(self) -> Sequence[ServedModel]:
        return tuple(self._model(pane) for pane in self.pair.panes)

    async def cleared(
        self, questions: Mapping[PaneName, Question], identifiers: str | None
    ) -> Mapping[PaneName, Question]:
        return questions

    def sampling(self, pane: PaneName) -> Sampling:
        return self.pair.sampling(pane, self._settings)

    def system(self, pane: PaneName) -> str:
        return self.pair.system(pane)

    async def start(self) -> None:
        """Load the pair.

        Raises:
            ServeError: it cannot be loaded.
        """
        await self.pair.load(self._settings)
        if self.pair.state == "ready":
            self._log(f"The models are loaded. {self.pair.confined or ''}".rstrip())
            for notice in self.pair.notices:
                self._log(notice)
            self._hashing = asyncio.create_task(self._hash())
        elif not self._closed:
            raise NotLoaded(f"The models cannot be loaded: {self.pair.trouble}")

    async def ready(self) -> None:
        self._look()
        if self._starting_again is not None:
            await asyncio.shield(self._starting_again)
        await self.pair.settled.wait()
        if self.pair.state != "ready":
            raise gone_for_good()

    def ask(
        self, questions: Mapping[PaneName, Question], mode: Mode, asker: str
    ) -> Asked:
        return Asked(self._answers(questions, mode, asker), self.pair.stop)

    async def _answers(
        self, questions: Mapping[PaneName, Question], mode: Mode, asker: str
    ) -> AsyncIterator[Event]:
        self._idle.clear()
        try:
            async for event in self.pair.answers(questions, mode, asker):
                yield event
            self._deaths = 0
        except EngineDied:
            self._start_again()
            raise
        finally:
            self._idle.set()

    def memory(self) -> int | None:
        return self.pair.memory

    def provenance(self, pane: PaneName) -> dict[str, Any]:
        source = self.pair.sources[pane]
        found: dict[str, Any] = {
            "model": source.name,
            "quantization": source.quantization,
            "adapter": source.adapter or None,
            "files": [file.path.name for file in source.files],
            "confined": self.pair.confined,
        }
        for key, file in zip(("sha256", "adapter_sha256"), source.files, strict=False):
            known = self._fingerprints.of(file)
            found[key] = known.sha256 or None if known else None
        return found

    def made_of(self, pane: PaneName) -> tuple[Source, Mapping[ModelFile, str]]:
        source = self.pair.sources[pane]
        # Where they lie on the operator's computer is no user's matter.
        named = [replace(file, path=Path(file.path.name)) for file in source.files]
        known = [self._fingerprints.of(file) for file in source.files]
        hashes = {
            file: one.sha256
            for file, one in zip(named, known, strict=True)
            if one is not None and one.sha256
        }
        return replace(source, files=tuple(named)), hashes

    async def close(self) -> None:
        self._closed = True
        for task in (self._starting_again, self._hashing):
            if task is not None:
                task.cancel()
        await self.pair.close()

    def _look(self) -> None:
        """Notice a process that ended while nothing was asked."""
        if self._idle.is_set() and self.pair.notice_death():
            self._start_again()

    def _start_again(self) -> None:
        """Start the process again, once until it has answered something."""
        self._deaths += 1
        if self._closed or self._starting_again is not None:
            return
        if self._deaths > 1:
            self._log("The models' process ended again. It is not started any more.")
            return
        self._log("The models' process ended. It is started again.")
        self._starting_again = asyncio.create_task(self._again())

    async def _again(self) -> None:
        try:
            await asyncio.sleep(BEFORE_AGAIN_S)
            self.restarts += 1
            await self.start()
        except NotLoaded as error:
            self._log(str(error))
        finally:
            self._starting_again = None

    async def _hash(self) -> None:
        files = [f for pane in self.pair.panes for f in self.pair.sources[pane].files]
        # Reading gigabytes competes with an answer for the processor: while one is
        # written it waits, file by file.
        for file in files:
            await self._idle.wait()
            await self._fingerprints.compute([file], lambda: True)

    def _model(self, pane: PaneName) -> ServedModel:
        pair, source = self.pair, self.pair.sources[pane]
        named = pair.choice.pair
        names = (pane, f"{named}/{pane}") if named else (pane,)
        parent = "base" if pane == "tuned" and "base" in pair.panes else ""
        newest = max((file.mtime_ns for file in source.files), default=0)
        return ServedModel(
            pane,
            names,
            source.label,
            parent,
            newest // 10**9,
            pair.notice if source.demonstration else "",
            bool(pair.infos and pair.infos[pane].thinks),
            sum(file.size for file in source.files),
            pair.infos.get(pane),
        )


def gone_for_good() -> Refusal:
    """The models do not answer any more."""
    return Refusal(
        503,
        "engine_died",
        "The models are not loaded. The operator of this server finds the reason in "
        "what it has printed.",
    )


def refusal_of(error: EngineError) -> Refusal:
    """Refusal for an error of the engine.

    Its text may name files of the operator's computer: that is the operator's.
    """
    if isinstance(error, EngineDied):
        return Refusal(
            500,
            "engine_died",
            "The models' process ended while it answered. It is started again; ask "
            "again.",
        )
    return Refusal(500, "engine_error", "The models could not answer this.")
