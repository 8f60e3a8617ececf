"""`POST /v1/completions`: a raw text is gone on with, without the chat template."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import Response

from medassist.core.values import Message, TooLong
from medassist.engine.wire import Answered, Question, Written
from medassist.serve.answering import answer
from medassist.serve.desk import Desk, does_not_fit, told, user_of
from medassist.serve.errors import Refusal
from medassist.serve.openai.request_parameters import Nothing, Penalized, Sampled, Text
from medassist.serve.openai.usage import finish_reason, timings, usage
from medassist.serve.stream import (
    comment,
    event_of,
    progress,
)
from medassist.serve.ticket import Ticket

ROUTE = "completions"


class CompletionRequest(Sampled, Penalized):
    """Request for a completion: one text."""

    prompt: (
        Annotated[Text, MinLen(1)]
        | Annotated[list[Annotated[Text, MinLen(1)]], MinLen(1), MaxLen(1)]
    )
    max_tokens: Annotated[int, Ge(1)] | None = None
    best_of: Annotated[int, Ge(1), Le(1)] | None = None
    echo: Literal[False] | None = None
    suffix: None = None
    logprobs: None = None
    tools: Nothing = None

    @property
    def text(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]


def router(desk: Desk) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post("/v1/completions")
    async def complete(body: CompletionRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        model = desk.model(body.model)
        changes = {**body.changes(), **body.stops}
        if body.max_tokens is not None:
            changes["max_tokens"] = body.max_tokens
        question = Question(
            messages=(Message("user", body.text),),
            sampling=desk.sampling(model.pane, changes),
            raw=body.text,
        )
        checked = await desk.checked(user_of(request), body.text)
        form = Completion(body, told(checked, model))
        asked = (model, question)
        return await answer(
            desk, request, ROUTE, asked, form, streamed=bool(body.stream)
        )

    return routes


class Completion:
    """An answer in the form of completions.

    A raw text has no place for a thought: what a model thinks is part of what it
    writes on with, and comes with the marks taken off it.

    Args:
        request: what was asked for.
        beside: what is told beside the answer.
    """

    def __init__(self, request: CompletionRequest, beside: dict[str, Any]) -> None:
        self._request = request
        self._beside = beside
        self._created = int(time.time())

    def whole(self, ticket: Ticket, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        finish = finish_reason(answered.figures, cut_off=ticket.cut_off)
        text = answered.thought + answered.text
        return {
            **self._object(ticket, text, finish),
            "usage": usage(answered.figures),
            "timings": timings(answered.figures),
            "medassist": self._beside,
        }

    async def stream(self, ticket: Ticket) -> AsyncIterator[bytes]:
        """The answer as it is written; an error in its midst ends it."""
        yield comment("asked")
        first = self._object(ticket, "", None)
        yield event_of({**first, "medassist": self._beside})
        try:
            async for event in ticket.events():
                match event:
                    case Written():
                        piece = event.thought + event.text
                        if piece and not event.restart:
                            yield event_of(self._object(ticket, piece, None))
                    case Answered():
                        for sent in self._end(ticket, event):
                            yield sent
                    case TooLong():
                        raise does_not_fit(event)
                    case _:
                        if said := progress(event):
                            yield said
        except Refusal as refusal:
            yield event_of(refusal.body)
            return
        yield b"data: [DONE]\n\n"

    def _end(self, ticket: Ticket, answered: Answered) -> list[bytes]:
        finish = finish_reason(answered.figures, cut_off=ticket.cut_off)
        found = [event_of(self._object(ticket, "", finish))]
        if self._request.wants_usage:
            last: dict[str, Any] = {**self._object(ticket, "", None), "choices": []}
            found.append(event_of({**last, "usage": usage(answered.figures)}))
        return found

    def _object(self, ticket: Ticket, text: str, finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return {
            "id": f"cmpl-{ticket.id}",
            "object": "text_completion",
            "created": self._created,
            "model": self._request.model,
            "choices": [choice],
        }
