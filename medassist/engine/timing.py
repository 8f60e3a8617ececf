"""Client of the timing process: a model whose raw speed is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel

from medassist.core.errors import EngineDied, EngineError, ModelFileError
from medassist.core.gguf import read_header
from medassist.core.values import KvType
from medassist.engine.child import Child, ChildEnded
from medassist.engine.death import cause_of_death
from medassist.engine.frames import Refused
from medassist.engine.timing_wire import (
    REPLIES,
    OpenedTimed,
    Opening,
    OpenTimed,
    Reply,
    Run,
    Took,
)

WORKER = "medassist.engine.timing_worker"


@dataclass(frozen=True)
class TimedSettings:
    """How to load the model to be timed; by default as the app does.

    Attributes:
        context: tokens that the cache holds.
        threads: that compute.
        kv: type of the cache; "q8_0" needs flash attention.
        flash_attention: whether it is used.
        gpu_layers: on the GPU; `None` for all, where the build has one.
    """

    context: int
    threads: int
    kv: KvType = "f16"
    flash_attention: bool = False
    gpu_layers: int | None = None


class TimedModel:
    """A GGUF, perhaps with an adapter, in a timing process, fed random tokens.

    Close it after use.

    Args:
        model: a GGUF file, the first one of a split model.
        adapter: a GGUF adapter of it, which computes with every token.
        settings: how it is loaded.

    Attributes:
        opened: what was loaded, and how long that took.

    Raises:
        EngineError: a file is no model, is damaged, or does not fit.
        EngineDied: the child ended on it.
    """

    def __init__(
        self, model: Path, adapter: Path | None, settings: TimedSettings
    ) -> None:
        read_header(model)  # what is wrong with the file it says best
        self.model = model
        self.threads = settings.threads
        self._opening = model
        self._when = "while it was loaded"
        self._child: Child[Reply] = Child(WORKER, REPLIES)
        self.pid = self._child.pid
        try:
            reply = self._ask(
                OpenTimed(
                    model=model.absolute(),
                    adapter=adapter and adapter.absolute(),
                    context=settings.context,
                    threads=settings.threads,
                    kv=settings.kv,
                    flash_attention=settings.flash_attention,
                    gpu_layers=settings.gpu_layers,
                )
            )
            while isinstance(reply, Opening):
                self._opening = reply.file
                reply = self._receive()
            if not isinstance(reply, OpenedTimed):
                raise self._out_of_turn(reply)
        except BaseException:
            self.close()
            raise
        self.opened = reply
        self._when = "while it was measured"

    def run(
        self,
        *,
        prompt: int = 0,
        written: int = 0,
        depth: int = 0,
        threads: int | None = None,
    ) -> Took:
        """Read `prompt` tokens and write `written`, with `depth` before them.

        Raises:
            EngineError: they do not fit into the context.
            EngineDied: the child ended.
        """
        wanted = Run(
            prompt=prompt,
            written=written,
            depth=depth,
            threads=threads or self.threads,
        )
        reply = self._ask(wanted)
        if not isinstance(reply, Took):
            raise self._out_of_turn(reply)
        return reply

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.__exit__(kind, error, trace)

    def _ask(self, command: BaseModel) -> Reply:
        try:
            self._child.send(command)
        except ChildEnded as ended:
            raise self._death(ended) from None
        return self._receive()

    def _receive(self) -> Reply:
        try:
            reply = self._child.receive()
        except ChildEnded as ended:
            raise self._death(ended) from None
        if isinstance(reply, Refused):
            if reply.file is not None:
                raise ModelFileError(reply.message, reply.file)
            raise EngineError(reply.message)
        return reply

    def _out_of_turn(self, reply: Reply) -> EngineDied:
        return self._death(self._child.ended(f"it answered with {reply.kind}"))

    def _death(self, ended: ChildEnded) -> EngineDied:
        return EngineDied(
            cause_of_death(
                str(self._opening), self._when, ended.code, ended.words, ended.broken
            )
        )
