"""Base of the clients that ask a child process about one GGUF, and wait."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, TypeAdapter

from medassist.core.errors import EngineDied, EngineError, ModelFileError
from medassist.engine.child import Child, ChildEnded
from medassist.engine.death import death
from medassist.engine.frames import FrameTooLarge, Opening, Refused
from medassist.frozen_model import FrozenModel

Reply = TypeVar("Reply", bound=FrozenModel)


class GgufClient(Generic[Reply]):
    """A child process with a GGUF that is asked; a context manager.

    What the child refuses, and its death, become errors whose message is a sentence.

    Args:
        worker: the module that the child runs.
        replies: reads what the child may answer.
        model: the GGUF.
        adapter: a GGUF adapter of it.
        when: what the child does once it is loaded, for the sentence on its death.
    """

    def __init__(
        self,
        worker: str,
        replies: TypeAdapter[Reply],
        model: Path,
        adapter: Path | None = None,
        *,
        when: str,
    ) -> None:
        self.model = model
        self.adapter = adapter
        self._loaded = when
        self._when = "while it was loaded"
        self._opening: Path | None = None
        self._child: Child[Reply] = Child(worker, replies)
        self.pid = self._child.pid

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

    @property
    def confined(self) -> str | None:
        """The confinement of the child, once it has told."""
        return self._child.confined

    def _open(self, command: BaseModel) -> Reply:
        """Send the first command; what the child says once all is loaded."""
        try:
            opened = self._ask(command)
            while isinstance(opened, Opening):
                self._opening = opened.file
                opened = self._receive()
        except BaseException:
            self.close()
            raise
        self._opening = None
        self._when = self._loaded
        return opened

    def _ask(self, command: BaseModel) -> Reply:
        try:
            self._child.send(command)
        except ChildEnded as ended:
            raise self._death(ended) from None
        except FrameTooLarge as error:
            raise EngineError(f"The text is too large: {error}.") from None
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
        kind = type(reply).__name__
        return self._death(self._child.ended(f"it answered with {kind}"))

    def _death(self, ended: ChildEnded) -> EngineDied:
        named = [self.model, *([self.adapter] if self.adapter else [])]
        subject = " with ".join(str(file) for file in named)
        if self._opening is not None:
            subject = str(self._opening)
        return death(subject, self._when, ended.code, ended.words, ended.broken)
