"""A question on its way through the queue, and what has come of it so far.

The engine never waits for a slow reader: pieces that were not fetched are put together.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from medassist.core.values import Figures, Mode, PaneName, TooLong
from medassist.engine.wire import Question, Reading, Written
from medassist.serve.errors import Refusal
from medassist.serve.served_pair import Asked, Event

Outcome = Literal["answered", "stopped", "left", "too_long", "cut_off", "failed"]


@dataclass(frozen=True)
class Waits:
    """A question stands in the queue.

    Attributes:
        position: how many have to be over before it begins, running ones among them.
        eta_s: about how many seconds that takes.
    """

    position: int
    eta_s: float


@dataclass(frozen=True)
class QuestionReport:
    """Report on a question, without its content.

    Attributes:
        id: of the request.
        user: who asked.
        route: by which way.
        panes: that were asked.
        waited_s: in the queue.
        seconds: from its arrival to its end.
        figures: of each answer.
        outcome: how it ended.
    """

    id: str
    user: str
    route: str
    panes: tuple[PaneName, ...]
    waited_s: float
    seconds: float
    figures: Mapping[PaneName, Figures]
    outcome: Outcome


@dataclass(eq=False)
class Ticket:
    """A question in the queue, and what has come of it that was not fetched yet."""

    user: str
    route: str
    questions: Mapping[PaneName, Question]
    mode: Mode
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    came_at: float = field(default_factory=time.monotonic)
    began_at: float | None = None
    outcome: Outcome | None = None
    """`None` until it is over."""
    refusal: Refusal | None = None
    figures: dict[PaneName, Figures] = field(default_factory=dict[PaneName, Figures])
    left: bool = False
    stopped: bool = False
    cut_off: bool = False
    _asked: Asked | None = None
    _stop_first: set[PaneName | None] = field(default_factory=set[PaneName | None])
    _events: deque[Event | Waits] = field(default_factory=deque[Event | Waits])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event | Waits) -> None:
        """Take an event; pieces that wait already are put together with it."""
        place = _same_kind(self._events, event)
        if place is None:
            self._events.append(event)
        else:
            self._events[place] = _together(self._events[place], event)
        self._changed.set()

    def begin(self, asked: Asked) -> None:
        """It is being answered."""
        self._asked = asked
        for pane in self._stop_first:
            asked.stop(pane)

    def stop(self, pane: PaneName | None = None) -> None:
        """Stop the answer of `pane` or of every one, at once or when it begins."""
        if self.outcome is not None:
            return
        if self._asked is None:
            self._stop_first.add(pane)
        else:
            self._asked.stop(pane)

    def end(self, outcome: Outcome, refusal: Refusal | None = None) -> QuestionReport:
        """Nothing more comes; how it went."""
        if self.outcome is None:
            self.outcome, self.refusal = outcome, refusal
            self._changed.set()
        now = time.monotonic()
        return QuestionReport(
            self.id,
            self.user,
            self.route,
            tuple(self.questions),
            (self.began_at or now) - self.came_at,
            now - self.came_at,
            self.figures,
            self.outcome,
        )

    async def events(self) -> AsyncIterator[Event | Waits]:
        """Yields events until the end.

        Raises:
            Refusal: it went wrong; what came before is as it was.
        """
        while True:
            while self._events:
                yield self._events.popleft()
            if self.outcome is not None:
                if self.refusal is not None:
                    raise self.refusal
                return
            self._changed.clear()
            await self._changed.wait()

    def first_too_long(self) -> TooLong | None:
        """First event that a prompt does not fit, if one came."""
        return next((e for e in self._events if isinstance(e, TooLong)), None)

    async def begun(self) -> None:
        """Wait until it is known whether it is taken at all.

        Raises:
            Refusal: it went wrong before anything came.
        """
        while not self._events and self.outcome is None:
            self._changed.clear()
            await self._changed.wait()
        if not self._events and self.refusal is not None:
            raise self.refusal


def _same_kind(events: deque[Event | Waits], event: Event | Waits) -> int | None:
    """Index of the event that `event` goes on with; `None`: there is none."""
    if not isinstance(event, Reading | Written | Waits):
        return None
    pane = None if isinstance(event, Waits) else event.pane
    for place in reversed(range(len(events))):
        there = events[place]
        if isinstance(event, Waits):
            if isinstance(there, Waits):
                return place
        elif not isinstance(there, Waits) and there.pane == pane:
            return place if type(there) is type(event) else None
    return None


def _together(there: Event | Waits, event: Event | Waits) -> Event | Waits:
    """The two in one."""
    if not (isinstance(there, Written) and isinstance(event, Written)):
        return event
    return event.model_copy(
        update={
            "text": event.text if event.restart else there.text + event.text,
            "thought": there.thought + event.thought,
            "restart": there.restart or event.restart,
        }
    )
