"""One question at an engine elsewhere, in one pane or both, and its stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from medassist.core.values import Mode, PaneName, TooLong
from medassist.serve.errors import Refusal
from medassist.serve.served_pair import Event
from medassist.serve.upstream.reader import UpstreamAnswer


class UpstreamQuestion:
    """A question, from when it is put until all its panes are over.

    Args:
        answers: of each pane; none has begun.
        bodies: the route and the body by which each pane is asked.
        mode: whether the panes are asked at once or one after the other.
        met: is told what went wrong.
    """

    def __init__(
        self,
        answers: Mapping[PaneName, UpstreamAnswer],
        bodies: Mapping[PaneName, tuple[str, dict[str, Any]]],
        mode: Mode,
        met: Callable[[Refusal], None],
    ) -> None:
        self._answers = answers
        self._bodies = bodies
        self._mode = mode
        self._met = met
        self._came: asyncio.Queue[Event | Refusal | None] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading: dict[PaneName, asyncio.Task[None]] = {}
        self._stopped: set[PaneName] = set()

    async def events(self) -> AsyncIterator[Event]:
        """Yields the events of the answer.

        Raises:
            Refusal: it went wrong.
        """
        if self._mode == "together":
            for pane in self._answers:
                self._do(self._read(pane))
        else:
            self._do(self._in_turn())
        try:
            left = len(self._answers)
            while left:
                event = await self._came.get()
                if event is None:
                    left -= 1
                elif isinstance(event, Refusal):
                    self._met(event)
                    raise event
                else:
                    yield event
                    if isinstance(event, TooLong):
                        return
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self, pane: PaneName | None = None) -> None:
        """End the answer of `pane` or of every one, with what came of it."""
        for name in self._answers:
            if pane in (None, name):
                self._stopped.add(name)
                if name in self._reading:
                    self._reading[name].cancel()

    def _do(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def _in_turn(self) -> None:
        for pane in self._answers:
            await asyncio.wait({self._do(self._read(pane))})

    async def _read(self, pane: PaneName) -> None:
        answer = self._answers[pane]
        task = asyncio.current_task()
        assert task is not None
        self._reading[pane] = task
        try:
            if pane in self._stopped:
                self._came.put_nowait(answer.stopped())
                return
            async for event in answer.events(*self._bodies[pane]):
                self._came.put_nowait(event)
        except asyncio.CancelledError:
            self._came.put_nowait(answer.stopped())
        except Refusal as refusal:
            self._came.put_nowait(refusal)
        finally:
            self._came.put_nowait(None)
