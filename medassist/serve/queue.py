"""A fair queue before the engine: each user in turn, one question of theirs at a time.

Round robin over users, so that ten questions of one hold up nobody else. A pair here
answers one question at a time; an engine elsewhere may answer those of several users
at once, and then nobody has a second one answered while others wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from medassist.core.clean import clean
from medassist.core.errors import EngineError, ModelFileError, QuestionRefused
from medassist.core.values import Mode, PaneName
from medassist.engine.wire import Answered, Question, Reading, Written
from medassist.serve.errors import Refusal, broken, place_of
from medassist.serve.limits import Limits
from medassist.serve.served_pair import ServedPair, refusal_of
from medassist.serve.ticket import Outcome, QuestionReport, Ticket, Waits

FIRST_GUESS_S: Final = 20.0
"""Seconds that a question takes, before one was answered."""
WEIGHT: Final = 0.3
"""Weight of the newest answer in the moving mean of the times."""


class FairQueue:
    """Has questions answered as many at once as the source can, each user in turn.

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
        self.running: dict[str, Ticket] = {}
        """Tickets that are being answered, one question of a user at most."""
        self._turn = 0
        self._turns: dict[str, int] = {}
        """Count of questions at which each user was last served."""
        self._mean_s = FIRST_GUESS_S
        self._more = asyncio.Event()
        self._closed = False
        self.unfit: Callable[[], str] = lambda: ""
        """Why nothing may be answered now, in a sentence; empty: it may."""
        self._work: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to answer."""
        self._do(self._run())

    @property
    def length(self) -> int:
        """Number of questions that wait."""
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
        if mine >= self._limits.waiting_each + (user not in self.running):
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
                retry_after_s=self._mean_s * 2 / self._source.at_once,
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
            ticket.stop(pane)
            return
        ticket.stopped = True
        self._withdraw(ticket, "stopped")

    def ticket(self, id: str, user: str) -> Ticket | None:
        """The question of `user` by its id, while it waits or is answered."""
        every = [*self._waiting, *self.running.values()]
        return next((t for t in every if t.id == id and t.user == user), None)

    def close(self) -> None:
        """Take no more questions; those that wait are told."""
        self._closed = True
        for ticket in [*self._waiting]:
            refusal = Refusal(503, "shutting_down", "This server is being ended.")
            self._end(ticket, "failed", refusal)

    async def ended(self) -> None:
        """Stop what runs and answer nothing more."""
        for ticket in self.running.values():
            ticket.stop()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _withdraw(self, ticket: Ticket, outcome: Outcome) -> None:
        if ticket in self._waiting:
            self._end(ticket, outcome)
        else:
            ticket.stop()

    def _end(
        self, ticket: Ticket, outcome: Outcome, refusal: Refusal | None = None
    ) -> None:
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            self._tell_positions()
        self._done(ticket.end(outcome, refusal))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._next() is not None:
                try:
                    await self._source.ready()
                except Refusal as refusal:
                    for ticket in [*self._waiting]:
                        self._end(ticket, "failed", refusal)
                    break
                ticket = self._next()
                if ticket is not None:  # it may have left meanwhile
                    self._begin(ticket)

    def _next(self) -> Ticket | None:
        """The question that is answered next, if one can be now."""
        if len(self.running) >= self._source.at_once:
            return None
        order = self._order()
        return next((t for t in order if t.user not in self.running), None)

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
        """Tell those who wait how many questions have to be over before theirs."""
        at_once = self._source.at_once
        free, ahead = at_once - len(self.running), 0
        own = Counter(self.running.keys())
        for ticket in self._order():
            if free > 0 and not own[ticket.user]:
                free -= 1  # it begins at once
            else:
                ahead += free <= 0
                mine = own[ticket.user]
                rounds = max(mine - 1, (ahead - 1) // at_once)
                eta = self._seconds_left() + rounds * self._mean_s
                ticket.put(Waits(max(mine, ahead), round(eta, 1)))
            own[ticket.user] += 1

    def _seconds_left(self) -> float:
        """About how long it takes until the next answer is over."""
        now = time.monotonic()
        began = min((t.began_at or now for t in self.running.values()), default=now)
        return max(1.0, self._mean_s - (now - began))

    def _begin(self, ticket: Ticket) -> None:
        self._waiting.remove(ticket)
        self.running[ticket.user] = ticket
        self._turn += 1
        self._turns[ticket.user] = self._turn
        ticket.began_at = time.monotonic()
        self._tell_positions()
        self._do(self._answer(ticket, ticket.began_at))

    async def _answer(self, ticket: Ticket, began_at: float) -> None:
        loop = asyncio.get_running_loop()
        limit = loop.call_later(self._limits.answer_s, self._cut_off, ticket)
        outcome, refusal = await self._events(ticket)
        limit.cancel()
        del self.running[ticket.user]
        self._more.set()
        self._mean_s += WEIGHT * (time.monotonic() - began_at - self._mean_s)
        self._end(ticket, outcome, refusal)

    def _cut_off(self, ticket: Ticket) -> None:
        ticket.cut_off = True
        ticket.stop()

    async def _events(self, ticket: Ticket) -> tuple[Outcome, Refusal | None]:
        """Have `ticket` answered; how that went."""
        too_long = False
        try:
            asked = self._source.ask(ticket.questions, ticket.mode, ticket.user)
            ticket.begin(asked)
            async for event in asked.events:
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
