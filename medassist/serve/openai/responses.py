"""`POST /v1/responses`: the newer form of OpenAI's API, for one answer.

Nothing is stored, so a request that relies on something stored is refused. Order and
fields of the events are those that the client's own helper wants.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import Response

from medassist.core.values import Figures, Sampling, TooLong
from medassist.engine.wire import Answered, Written
from medassist.serve.answering import answer, heard
from medassist.serve.desk import Desk, does_not_fit, told, user_of
from medassist.serve.errors import Refusal
from medassist.serve.limits import MOST_MESSAGES
from medassist.serve.openai.request_parameters import (
    Content,
    Nothing,
    Sampled,
    Strict,
    Text,
    TextFormat,
    conversation,
    questions_of,
    text_of,
)
from medassist.serve.openai.usage import finish_reason
from medassist.serve.stream import (
    Heard,
    comment,
    event_of,
    progress,
)
from medassist.serve.ticket import Ticket

ROUTE = "responses"
Kind = Literal["reasoning", "message"]


class InputMessage(Strict):
    """A message of a conversation; what an answer of ours holds may come back."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    id: str | None = None
    status: str | None = None
    phase: None = None


class InputThought(Strict):
    """Thought of a model, which is not sent back to it."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: Annotated[list[Any], MaxLen(MOST_MESSAGES)] | None = None
    content: list[Any] | None = None
    encrypted_content: None = None
    status: str | None = None


class TextSettings(Strict):
    format: TextFormat | None = None


class ReasoningSettings(Strict):
    effort: Literal["none"] | None = None
    summary: None = None


class StreamSettings(Strict):
    include_obfuscation: Literal[False] | None = None


class ResponseRequest(Sampled):
    """Request for a response."""

    input: (
        Annotated[Text, MinLen(1)]
        | Annotated[list[InputThought | InputMessage], MinLen(1), MaxLen(MOST_MESSAGES)]
    )
    instructions: Text | None = None
    max_output_tokens: Annotated[int, Ge(1)] | None = None
    reasoning: ReasoningSettings | None = None
    text: TextSettings | None = None
    stream_options: StreamSettings | None = None
    background: Literal[False] | None = None
    conversation: None = None
    previous_response_id: None = None
    include: Nothing = None
    tools: Nothing = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: None = None
    top_logprobs: Annotated[int, Ge(0), Le(0)] | None = None
    truncation: Literal["disabled"] | None = None

    def said(self) -> list[tuple[str, str]]:
        """Roles and texts of the conversation."""
        found = [("system", self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return [*found, ("user", self.input)]
        messages = (one for one in self.input if isinstance(one, InputMessage))
        return [*found, *((one.role, text_of(one.content)) for one in messages)]

    def all_changes(self) -> dict[str, Any]:
        """The values of `Sampling` that it says."""
        found = self.changes()
        if self.max_output_tokens is not None:
            found["max_tokens"] = self.max_output_tokens
        if self.reasoning and self.reasoning.effort == "none":
            found["thinking"] = "off"
        return found


def router(desk: Desk) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.post("/v1/responses")
    async def respond(body: ResponseRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        said = body.said()
        if not said:
            raise Refusal(400, "invalid_value", "'input' holds no message.", "input")
        messages = conversation(said)
        model = desk.model(body.model)
        question = desk.question(model.pane, messages, body.all_changes())
        checked = await desk.checked(user_of(request), *questions_of(messages))
        sampling, beside = question.sampling, told(checked, model)
        form = ResponseForm(body, beside, sampling, heard(model, question))
        asked = (model, question)
        return await answer(
            desk, request, ROUTE, asked, form, streamed=bool(body.stream)
        )

    return routes


@dataclass(frozen=True)
class ResponseForm:
    """The form of responses, before the question has its place in the queue."""

    request: ResponseRequest
    beside: dict[str, Any]
    sampling: Sampling
    heard: Heard

    def whole(self, ticket: Ticket, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        return self._given(ticket).whole(answered)

    def stream(self, ticket: Ticket) -> AsyncIterator[bytes]:
        """The answer as it is written; an error in its midst ends it."""
        return self._given(ticket).stream(self.heard)

    def _given(self, ticket: Ticket) -> GivenResponse:
        return GivenResponse(self.request, ticket, self.beside, self.sampling)


@dataclass
class GivenResponse:
    """One answer in the form of responses: an object, or the events of a stream."""

    request: ResponseRequest
    ticket: Ticket
    beside: dict[str, Any]
    sampling: Sampling
    _created: int = field(default_factory=lambda: int(time.time()))
    _number: int = 0
    _output: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _open: _Item | None = None

    def whole(self, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        output: list[dict[str, Any]] = []
        if answered.thought:
            output.append(_Item("reasoning", self.ticket.id, 0, answered.thought).done)
        message = _Item("message", self.ticket.id, len(output), answered.text)
        output.append(message.done)
        return self._object(self._status(answered.figures), output, answered.figures)

    async def stream(self, heard: Heard) -> AsyncIterator[bytes]:
        """The answer as it is written; an error in its midst ends it."""
        yield comment("asked")
        begun = self._object("in_progress", [])
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)
        try:
            async for event in self.ticket.events():
                match event:
                    case Written():
                        text, thought = heard.take(event)
                        for sent in self._pieces(text, thought):
                            yield sent
                    case Answered():
                        for sent in self._end(event, heard.rest()):
                            yield sent
                    case TooLong():
                        raise does_not_fit(event)
                    case _:
                        if said := progress(event):
                            yield said
        except Refusal as refusal:
            failed = self._object("failed", self._output)
            failed["error"] = {"code": "server_error", "message": refusal.message}
            yield self._event("response.failed", response=failed)
            yield self._event(
                "error",
                code=refusal.code,
                message=refusal.message,
                param=refusal.param,
                **refusal.body,
            )

    def _pieces(self, text: str, thought: str) -> Iterator[bytes]:
        if thought:
            yield from self._piece("reasoning", thought)
        if text:
            yield from self._piece("message", text)

    def _piece(self, kind: Kind, text: str) -> Iterator[bytes]:
        if self._open is None or self._open.kind != kind:
            yield from self._close()
            self._open = _Item(kind, self.ticket.id, len(self._output))
            place = {"output_index": self._open.index}
            empty = self._open.empty
            yield self._event("response.output_item.added", item=empty, **place)
            if kind == "message":
                part = self._open.part("")
                yield self._event(
                    "response.content_part.added", part=part, **self._open.place
                )
        self._open.text += text
        name = "output_text" if kind == "message" else "reasoning_text"
        more: dict[str, Any] = {"logprobs": []} if kind == "message" else {}
        yield self._event(
            f"response.{name}.delta", delta=text, **self._open.place, **more
        )

    def _close(self) -> Iterator[bytes]:
        item, self._open = self._open, None
        if item is None:
            return
        if item.kind == "message":
            done: dict[str, Any] = {"text": item.text, "logprobs": []}
            yield self._event("response.output_text.done", **done, **item.place)
            part = item.part(item.text)
            yield self._event("response.content_part.done", part=part, **item.place)
        else:
            yield self._event(
                "response.reasoning_text.done", text=item.text, **item.place
            )
        yield self._event(
            "response.output_item.done", item=item.done, output_index=item.index
        )
        self._output.append(item.done)

    def _end(self, answered: Answered, rest: str) -> Iterator[bytes]:
        yield from self._pieces(rest, "")
        if not answered.text:  # an answer has a message, be it an empty one
            yield from self._piece("message", "")
        yield from self._close()
        status = self._status(answered.figures)
        response = self._object(status, self._output, answered.figures)
        yield self._event(f"response.{status}", response=response)

    def _status(self, figures: Figures) -> Literal["completed", "incomplete"]:
        finish = finish_reason(figures, cut_off=self.ticket.cut_off)
        return "incomplete" if finish == "length" else "completed"

    def _event(self, kind: str, **more: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event_of({"type": kind, "sequence_number": number, **more}, kind)

    def _object(
        self,
        status: str,
        output: list[dict[str, Any]],
        figures: Figures | None = None,
    ) -> dict[str, Any]:
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": f"resp_{self.ticket.id}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": cut,
            "instructions": self.request.instructions,
            "max_output_tokens": self.request.max_output_tokens,
            "model": self.request.model,
            "output": [*output],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": self.sampling.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": self.sampling.top_p,
            "truncation": "disabled",
            "usage": _usage(figures) if figures else None,
            "medassist": self.beside,
        }


@dataclass
class _Item:
    """A message or a thought of the output."""

    kind: Kind
    of: str
    index: int
    text: str = ""

    @property
    def id(self) -> str:
        return f"{'msg' if self.kind == 'message' else 'rs'}_{self.of}_{self.index}"

    @property
    def place(self) -> dict[str, Any]:
        return {"item_id": self.id, "output_index": self.index, "content_index": 0}

    def part(self, text: str) -> dict[str, Any]:
        if self.kind == "reasoning":
            return {"type": "reasoning_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    @property
    def empty(self) -> dict[str, Any]:
        return self._as("in_progress", [])

    @property
    def done(self) -> dict[str, Any]:
        return self._as("completed", [self.part(self.text)])

    def _as(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": self.id,
            "type": self.kind,
            "status": status,
            "content": content,
        }
        if self.kind == "message":
            return {**found, "role": "assistant"}
        return {**found, "summary": []}


def _usage(figures: Figures) -> dict[str, Any]:
    read = figures.tokens_read + figures.tokens_reused
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": figures.tokens_reused,
            "cache_write_tokens": 0,
        },
        "output_tokens": figures.tokens_written,
        "output_tokens_details": {"reasoning_tokens": figures.tokens_thought},
        "total_tokens": read + figures.tokens_written,
    }
