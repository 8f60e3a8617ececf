"""The engine of a pair, made from the choice of its files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from medassist.consult.answer import ModelFile
from medassist.core.errors import EngineError
from medassist.starter import DefaultPair, Demonstration, default_pair, demonstration

if TYPE_CHECKING:
    from medassist.core.values import (
        EngineOptions,
        Message,
        Mode,
        PairFiles,
        PaneInfo,
        PaneName,
        TooLong,
    )
    from medassist.engine.wire import (
        Answered,
        Loaded,
        Loading,
        Question,
        Reading,
        Written,
    )
    from medassist.session.choice import Choice

WIDE = 32_768
"""Tokens of context that are offered where a conversation does not fit."""


class EngineLike(Protocol):
    """The part of `medassist.engine.client.Engine` that a session uses."""

    state: Literal["new", "loading", "ready", "dead", "closed"]
    confined: str | None

    async def start(
        self, progress: Callable[[Loading], None] | None = None
    ) -> Loaded: ...

    def ask(
        self,
        panes: Mapping[PaneName, Question],
        mode: Mode = "together",
        asker: str = "",
    ) -> AsyncIterator[Reading | Written | Answered | TooLong]: ...

    def stop(self, pane: PaneName | None = None) -> None: ...

    async def prepare(self, panes: Mapping[PaneName, Sequence[Message]]) -> None: ...

    def memory(self) -> int | None: ...

    async def close(self) -> None: ...


MakeEngine = Callable[["PairFiles", "EngineOptions"], EngineLike]


@dataclass(frozen=True)
class Wider:
    """More context that a pair can be loaded with.

    Attributes:
        tokens: of context in each pane.
        more_bytes: of memory that it takes beyond now, where that can be said.
    """

    tokens: int
    more_bytes: int | None


@dataclass(frozen=True)
class PairEngine:
    """The engine of a pair, with the files and options that it was made from.

    Attributes:
        default: what is loaded where no model was named; it has settings of its own.
        demonstration: which panes run a model that is none for clinical use.
    """

    engine: EngineLike
    files: PairFiles
    options: EngineOptions
    default: DefaultPair | None
    demonstration: Demonstration

    def stamps(self) -> dict[PaneName, tuple[ModelFile, ...]]:
        """The files of each pane as they are now; for a thread."""
        return {
            pane: tuple(_stamp(path) for path in self.files.files(pane))
            for pane in self.files.panes
        }

    def wider(self, infos: Collection[PaneInfo]) -> Wider | None:
        """More context that the loaded models allow; `None`: there is no more.

        Looks at files: for a thread.
        """
        now = min((info.context for info in infos), default=0)
        most = min((info.trained_context for info in infos), default=0)
        tokens = min(most, WIDE) if now < min(most, WIDE) else most
        if not now or tokens <= now:
            return None
        from medassist.library.fit import need

        try:
            before, after = (
                need(self.files, replace(self.options, context=context)).total
                for context in (now, tokens)
            )
        except (EngineError, OSError):
            return Wider(tokens, None)
        return Wider(tokens, max(0, after - before))


async def make_pair_engine(
    choice: Choice, options: EngineOptions, make: MakeEngine | None
) -> PairEngine:
    """Make the engine of `choice`, which is not started yet.

    Args:
        choice: the files, or none for the default pair.
        options: as the user has them; threads that were measured are put in.
        make: makes the engine; by default the one in a process of its own.

    Raises:
        EngineError: the files are no pair.
    """
    if choice.problem:
        raise EngineError(choice.problem)
    default = await asyncio.to_thread(default_pair) if choice.is_starter else None
    files = default.files if default else choice.files
    shown = await asyncio.to_thread(demonstration, files)
    if make is None:
        from medassist.engine.client import Engine

        make = Engine
    from medassist.library.tuned_threads import with_tuned_threads

    options = await asyncio.to_thread(with_tuned_threads, files, options)
    return PairEngine(make(files, options), files, options, default, shown)


def _stamp(path: Path) -> ModelFile:
    try:
        status = path.stat()
    except OSError:  # loading it will say what is wrong
        return ModelFile(path, 0, 0)
    return ModelFile(path, status.st_size, status.st_mtime_ns)
