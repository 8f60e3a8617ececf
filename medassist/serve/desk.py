"""Part that all routes share: the models, the queue, and a question's way through."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fastapi import Request

from medassist.core.values import Message, Mode, PaneName, Sampling, TooLong
from medassist.engine.wire import Answered, Question
from medassist.serve.errors import Refusal
from medassist.serve.queue import FairQueue
from medassist.serve.served_pair import ServedModel, ServedPair
from medassist.serve.ticket import Ticket
from medassist.session.checked_question import CheckedQuestion, check_question

IDENTIFIERS: Final = "Medassist-Identifiers"
"""The header that says what is done with what may tell who somebody is."""


@dataclass(frozen=True)
class Desk:
    """Takes questions and hands out answers."""

    source: ServedPair
    queue: FairQueue
    _checking: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])

    async def checked(
        self, user: str, question: str, earlier: Sequence[str] = ()
    ) -> CheckedQuestion:
        """Red flags by the rules, before a model is asked.

        A very long question takes the rules seconds, so each user has one checked at a
        time.

        Raises:
            Refusal: the question would not be taken, so that it need not be checked.
        """
        async with self._checking.setdefault(user, asyncio.Lock()):
            self.queue.expect_room(user)
            return await check_question(question, earlier)

    def model(self, name: str) -> ServedModel:
        """The model of that name.

        Raises:
            Refusal: there is none.
        """
        for model in self.source.models:
            if name in model.names:
                return model
        known = ", ".join(name for m in self.source.models for name in m.names)
        raise Refusal(
            404, "model_not_found", f"There is no such model here: {known}.", "model"
        )

    def question(
        self, pane: PaneName, messages: Sequence[Message], changes: Mapping[str, Any]
    ) -> Question:
        """`messages` as they are asked of `pane`, behind its system prompt.

        A system message that the client brings stands in the place of the pane's own.
        """
        own = any(message.role == "system" for message in messages)
        system = "" if own else self.source.system(pane)
        before = (Message("system", system),) if system else ()
        sampling = self.sampling(pane, changes)
        return Question(messages=(*before, *messages), sampling=sampling)

    async def enter(
        self,
        request: Request,
        route: str,
        questions: Mapping[PaneName, Question],
        mode: Mode = "in-turn",
    ) -> Ticket:
        """Put a question into the queue. Its ticket must be given back by `leave`.

        Raises:
            Refusal: there is no room, or it may not leave this computer as it is.
        """
        self.queue.expect_room(user_of(request))
        said = request.headers.get(IDENTIFIERS)
        cleared = await self.source.cleared(questions, said)
        return self.queue.enter(user_of(request), route, cleared, mode)

    def sampling(self, pane: PaneName, changes: Mapping[str, Any]) -> Sampling:
        """Sampling of `pane`, with what the request says in its place."""
        return replace(self.source.sampling(pane), **changes)


def user_of(request: Request) -> str:
    """Name of the user who asks, by the token that was admitted."""
    return str(request.state.user)


def told(checked: CheckedQuestion, model: ServedModel) -> dict[str, Any]:
    """Additions to an answer: red flags, and notices about the model."""
    return {
        "red_flags": checked.as_json,
        "not_checked": checked.problem or None,
        "language_notice": checked.language or None,
        "notice": model.notice or None,
    }


async def whole(ticket: Ticket) -> dict[PaneName, Answered]:
    """All answers of a ticket, when they are over.

    Raises:
        Refusal: it went wrong, or does not fit.
    """
    found: dict[PaneName, Answered] = {}
    async for event in ticket.events():
        match event:
            case TooLong():
                raise does_not_fit(event)
            case Answered():
                found[event.pane] = event
            case _:
                pass
    return found


async def fits(ticket: Ticket) -> None:
    """Wait until it is known whether the prompt fits, as long as that is at once.

    Raises:
        Refusal: it does not, or it went wrong before anything came.
    """
    await ticket.begun()
    too_long = ticket.first_too_long()
    if too_long is not None:
        raise does_not_fit(too_long)


def does_not_fit(too_long: TooLong) -> Refusal:
    """The prompt has more tokens than the context has room for."""
    return Refusal(
        400,
        "context_length_exceeded",
        f"The messages take {too_long.tokens:,} tokens and the {too_long.pane} model "
        f"has room for {too_long.fits:,}. Nothing was run and nothing was cut.",
        "messages",
        more={"n_prompt_tokens": too_long.tokens, "n_ctx": too_long.fits},
    )
