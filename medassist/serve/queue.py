"""A fair queue before the one engine: each user in turn, one question at a time.

Round robin over users, so that ten questions of one hold up nobody else. Whoever asks
holds a ticket, in which the events of the answer gather: the engine never waits for a
slow reader, since pieces that were not fetched are put together.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from medassist.core.clean import clean
from medassist.core.errors import EngineError, ModelFileError, QuestionRefused
from medassist.core.values import Figures, Mode, PaneName, TooLong
from medassist.engine.wire import Answered, Question, Reading, Written
from medassist.serve.errors import Refusal, broken, place_of
from medassist.serve.limits import Limits
from medassist.serve.served_pair import Event, ServedPair, refusal_of

Outcome = Literal["answered", "stopped", "left", "too_long", "cut_off", "failed"]
FIRST_GUESS_S: Final = 20.0
"""What a question takes, before one was answered."""
WEIGHT: Final = 0.3
"""Of the newest answer in the moving mean of the times."""


@dataclass(frozen=True)
class Waits:
    """A question stands in the queue.

    Attributes:
        position: how many are answered before it, the running one among them.
        eta_s: about how many seconds that takes.
    """

    position: int
    eta_s: float


@dataclass(frozen=True)
class QuestionReport:
    """How a question went, without its content.

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
    stop_first: set[PaneName] = field(default_factory=set[PaneName])
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

    def end(self, outcome: Outcome, refusal: Refusal | None = None) -> None:
        """Nothing more comes."""
        if self.outcome is None:
            self.outcome, self.refusal = outcome, refusal
            self._changed.set()

    async def events(self) -> AsyncIterator[Event | Waits]:
        """What comes, until the end.

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
        """That a prompt does not fit, where that is what came."""
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


class FairQueue:
    """Has one question answered after the other, and each user in turn.

    Args:
        source: answers.
        limits: how many may wait, and how long an answer may take.
        done: is told how each question went.
        log: is told what the operator has to know.
    """

    def __init__(
        self,
        source: ServedPair,
        limits: Limits,
        done: Callable[[QuestionReport], None],
        log: Callable[[str], None],
    ) -> None:
        self._source = source
        self._limits = limits
        self._done = done
        self._log = log
        self._waiting: list[Ticket] = []
        self.running: Ticket | None = None
        """What is being answered."""
        self._turn = 0
        self._turns: dict[str, int] = {}
        """When each user was last served, counted in questions."""
        self._mean_s = FIRST_GUESS_S
        self._more = asyncio.Event()
        self._closed = False
        self.unfit: Callable[[], str] = lambda: ""
        """Why nothing may be answered now, in a sentence; empty: it may."""
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to answer."""
        self._work = asyncio.create_task(self._run())

    @property
    def length(self) -> int:
        """How many questions wait."""
        return len(self._waiting)

    def expect_room(self, user: str) -> None:
        """Make sure that a question of `user` would be taken now.

        Raises:
            Refusal: too many wait already, or nothing is answered now.
        """
        if self._closed:
            raise Refusal(503, "shutting_down", "This server is being ended.")
        if self._source.state == "loading":  # who waits already goes on waiting
            sentence = "The models are being loaded. Ask again in a moment."
            raise Refusal(503, "loading", sentence, retry_after_s=2)
        if why := self.unfit():
            raise Refusal(503, "not_recorded", why, retry_after_s=30)
        mine = sum(ticket.user == user for ticket in self._waiting)
        running = self.running is not None and self.running.user == user
        if mine >= self._limits.waiting_each + (not running):
            raise Refusal(
                429,
                "rate_limit_exceeded",
                f"{mine} of your questions wait already. Ask again when one of them "
                "has been answered.",
                retry_after_s=self._mean_s,
            )
        if len(self._waiting) >= self._limits.waiting:
            raise Refusal(
                503,
                "overloaded",
                f"{len(self._waiting)} questions wait already. Ask again later.",
                retry_after_s=self._mean_s * 2,
            )

    def enter(
        self,
        user: str,
        route: str,
        questions: Mapping[PaneName, Question],
        mode: Mode = "in-turn",
    ) -> Ticket:
        """Put a question into the queue. Its ticket must be given back by `leave`.

        Raises:
            Refusal: as by `expect_room`.
        """
        self.expect_room(user)
        ticket = Ticket(user, route, questions, mode)
        self._waiting.append(ticket)
        self._more.set()
        self._tell_positions()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Nobody waits for the answer any more: what runs of it is stopped."""
        if ticket.outcome is not None or ticket.left:
            return
        ticket.left = True
        self._withdraw(ticket, "left")

    def stop(self, ticket: Ticket, pane: PaneName | None = None) -> None:
        """Stop an answer, or that of one pane; what was written of it is given."""
        if pane is not None:
            if ticket is self.running:
                self._source.stop(pane)
            else:
                ticket.stop_first.add(pane)
            return
        ticket.stopped = True
        self._withdraw(ticket, "stopped")

    def ticket(self, id: str, user: str) -> Ticket | None:
        """The question of `user` by its id, while it waits or is answered."""
        every = [*self._waiting, *filter(None, [self.running])]
        return next((t for t in every if t.id == id and t.user == user), None)

    def close(self) -> None:
        """Take no more questions; those that wait are told."""
        self._closed = True
        for ticket in [*self._waiting]:
            refusal = Refusal(503, "shutting_down", "This server is being ended.")
            self._end(ticket, "failed", refusal)

    async def ended(self) -> None:
        """Stop what runs and answer nothing more."""
        if self.running is not None:
            self._source.stop()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def _withdraw(self, ticket: Ticket, outcome: Outcome) -> None:
        if ticket is self.running:
            self._source.stop()
        elif ticket in self._waiting:
            self._end(ticket, outcome)

    def _end(
        self, ticket: Ticket, outcome: Outcome, refusal: Refusal | None = None
    ) -> None:
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            self._tell_positions()
        ticket.end(outcome, refusal)
        now = time.monotonic()
        began = ticket.began_at or now
        self._done(
            QuestionReport(
                ticket.id,
                ticket.user,
                ticket.route,
                tuple(ticket.questions),
                began - ticket.came_at,
                now - ticket.came_at,
                ticket.figures,
                outcome,
            )
        )

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                try:
                    await self._source.ready()
                except Refusal as refusal:
                    for ticket in [*self._waiting]:
                        self._end(ticket, "failed", refusal)
                    break
                order = self._order()
                if order:  # they may have left meanwhile
                    await self._answer(order[0])

    def _order(self) -> list[Ticket]:
        """The waiting questions as they will be answered."""
        turns = dict(self._turns)
        left, found, turn = [*self._waiting], list[Ticket](), self._turn
        while left:
            # The longest not served comes first; among those never served, who came
            # first. `left` is in the order of arrival, and `min` takes the first.
            chosen = min(left, key=lambda ticket: turns.get(ticket.user, 0))
            left.remove(chosen)
            turn += 1
            turns[chosen.user] = turn
            found.append(chosen)
        return found

    def _tell_positions(self) -> None:
        running = self.running is not None
        ahead = self._seconds_left() if running else 0.0
        for place, ticket in enumerate(self._order()):
            position = place + running
            if position:
                eta = ahead + place * self._mean_s
                ticket.put(Waits(position, round(eta, 1)))

    def _seconds_left(self) -> float:
        assert self.running is not None
        began = self.running.began_at or time.monotonic()
        return max(1.0, self._mean_s - (time.monotonic() - began))

    async def _answer(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)
        self.running = ticket
        self._turn += 1
        self._turns[ticket.user] = self._turn
        ticket.began_at = time.monotonic()
        self._tell_positions()
        loop = asyncio.get_running_loop()
        limit = loop.call_later(self._limits.answer_s, self._cut_off, ticket)
        outcome, refusal = await self._events(ticket)
        limit.cancel()
        self.running = None
        seconds = time.monotonic() - ticket.began_at
        self._mean_s += WEIGHT * (seconds - self._mean_s)
        self._end(ticket, outcome, refusal)

    def _cut_off(self, ticket: Ticket) -> None:
        ticket.cut_off = True
        self._source.stop()

    async def _events(self, ticket: Ticket) -> tuple[Outcome, Refusal | None]:
        """Have `ticket` answered; how that went."""
        too_long = False
        try:
            for pane in ticket.stop_first:
                self._source.stop(pane)
            events = self._source.ask(ticket.questions, ticket.mode, ticket.user)
            async for event in events:
                if isinstance(event, Answered):
                    ticket.figures[event.pane] = event.figures
                too_long |= not isinstance(event, Reading | Written | Answered)
                ticket.put(event)
        except Refusal as refusal:
            return "failed", refusal
        except QuestionRefused as error:
            message = clean(str(error))
            return "failed", Refusal(400, "model_refuses_prompt", message)
        except EngineError as error:
            if isinstance(error, ModelFileError):
                self._log(clean(str(error)))
            return "failed", refusal_of(error)
        except Exception as error:
            # One question that breaks something must not end the queue for all.
            self._log(f"{type(error).__name__} in {place_of(error)}")
            return "failed", broken()
        if too_long:
            return "too_long", None
        if ticket.cut_off:
            return "cut_off", None
        if ticket.left:
            return "left", None
        return ("stopped" if ticket.stopped else "answered"), None


def _same_kind(events: deque[Event | Waits], event: Event | Waits) -> int | None:
    """Where an event stands that `event` goes on with; `None`: nowhere."""
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
