"""`POST /v1/chat/completions`: one model, a conversation, an answer or a stream."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import Response

from medassist.core.values import TooLong
from medassist.engine.wire import Answered, Reading, Written
from medassist.serve.answering import answer, heard
from medassist.serve.desk import Desk, does_not_fit, told, user_of
from medassist.serve.errors import Refusal
from medassist.serve.limits import MOST_MESSAGES
from medassist.serve.openai.request_parameters import (
    Content,
    Nothing,
    Penalized,
    Sampled,
    Strict,
    TemplateSettings,
    Text,
    TextFormat,
    conversation,
    questions_of,
    text_of,
)
from medassist.serve.openai.usage import finish_reason, timings, usage
from medassist.serve.stream import (
    Heard,
    comment,
    event_of,
    progress,
)
from medassist.serve.ticket import Ticket

ROUTE = "chat"


class ChatMessage(Strict):
    """A message; what an answer of ours holds beside its text may come back."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    name: None = None
    reasoning_content: Text | None = None
    """Thought of a model, which is not sent back to it."""
    refusal: None = None
    audio: None = None
    function_call: None = None
    tool_calls: Nothing = None
    annotations: Nothing = None


class ChatRequest(Sampled, Penalized):
    """Request for a chat completion."""

    messages: Annotated[list[ChatMessage], MinLen(1), MaxLen(MOST_MESSAGES)]
    max_tokens: Annotated[int, Ge(1)] | None = None
    max_completion_tokens: Annotated[int, Ge(1)] | None = None
    reasoning_effort: Literal["none"] | None = None
    chat_template_kwargs: TemplateSettings | None = None
    return_progress: bool | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Annotated[int, Ge(0), Le(0)] | None = None
    modalities: list[Literal["text"]] | None = None
    response_format: TextFormat | None = None
    tools: Nothing = None
    functions: Nothing = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None

    def all_changes(self) -> dict[str, Any]:
        """The values of `Sampling` that it says."""
        found = {**self.changes(), **self.stops}
        longest = self.max_completion_tokens or self.max_tokens
        if longest is not None:
            found["max_tokens"] = longest
        thinks = self.chat_template_kwargs and self.chat_template_kwargs.enable_thinking
        if self.reasoning_effort == "none":
            thinks = False
        if thinks is not None:
            found["thinking"] = "on" if thinks else "off"
        return found


def router(desk: Desk) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post("/v1/chat/completions")
    async def chat(body: ChatRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        said = ((one.role, text_of(one.content)) for one in body.messages)
        messages = conversation(list(said))
        model = desk.model(body.model)
        question = desk.question(model.pane, messages, body.all_changes())
        checked = await desk.checked(user_of(request), *questions_of(messages))
        form = ChatAnswer(body, told(checked, model), heard(model, question))
        asked = (model, question)
        return await answer(
            desk, request, ROUTE, asked, form, streamed=bool(body.stream)
        )

    return routes


class ChatAnswer:
    """An answer in the form of chat completions.

    Args:
        request: what was asked for.
        beside: what is told beside the answer, which other clients skip.
        heard: holds back what may be a thought.
    """

    def __init__(
        self, request: ChatRequest, beside: dict[str, Any], heard: Heard
    ) -> None:
        self._request = request
        self._beside = beside
        self._heard = heard
        self._created = int(time.time())

    def whole(self, ticket: Ticket, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        message: dict[str, Any] = {"role": "assistant", "content": answered.text}
        if answered.thought:
            message["reasoning_content"] = answered.thought
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._finish(ticket, answered),
        }
        return {
            **self._head(ticket, "chat.completion"),
            "choices": [choice],
            "usage": usage(answered.figures),
            "timings": timings(answered.figures),
            "medassist": self._beside,
        }

    async def stream(self, ticket: Ticket) -> AsyncIterator[bytes]:
        """The answer as it is written; an error in its midst ends it."""
        yield comment("asked")
        first = {"role": "assistant", "content": ""}
        yield self._chunk(ticket, first, more={"medassist": self._beside})
        try:
            async for event in ticket.events():
                for sent in self._of(ticket, event):
                    yield sent
        except Refusal as refusal:
            yield event_of(refusal.body)
            return
        yield b"data: [DONE]\n\n"

    def _of(self, ticket: Ticket, event: Any) -> list[bytes]:
        match event:
            case Reading() if self._request.return_progress:
                done = {
                    "total": event.total,
                    "cache": event.reused,
                    "processed": event.done,
                }
                return [self._chunk(ticket, {}, more={"prompt_progress": done})]
            case Written():
                text, thought = self._heard.take(event)
                more: dict[str, Any] = {}
                if event.restart:
                    more = {"medassist": {"restart": True}}
                delta = _delta(text, thought)
                return [self._chunk(ticket, delta, more=more)] if delta or more else []
            case Answered():
                return self._end(ticket, event)
            case TooLong():
                raise does_not_fit(event)
            case _:
                return [said] if (said := progress(event)) else []

    def _end(self, ticket: Ticket, answered: Answered) -> list[bytes]:
        found: list[bytes] = []
        if rest := self._heard.rest():
            found.append(self._chunk(ticket, _delta(rest, "")))
        finish = self._finish(ticket, answered)
        told = {"timings": timings(answered.figures)}
        found.append(self._chunk(ticket, {}, finish, told))
        if self._request.wants_usage:
            head = self._head(ticket, "chat.completion.chunk")
            used = usage(answered.figures)
            found.append(event_of({**head, "choices": [], "usage": used}))
        return found

    def _finish(self, ticket: Ticket, answered: Answered) -> str:
        return finish_reason(answered.figures, cut_off=ticket.cut_off)

    def _head(self, ticket: Ticket, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{ticket.id}",
            "object": kind,
            "created": self._created,
            "model": self._request.model,
        }

    def _chunk(
        self,
        ticket: Ticket,
        delta: dict[str, str],
        finish: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = self._head(ticket, "chat.completion.chunk")
        return event_of({**head, "choices": [choice], **(more or {})})


def _delta(text: str, thought: str) -> dict[str, str]:
    found = {"reasoning_content": thought, "content": text}
    return {name: value for name, value in found.items() if value}
