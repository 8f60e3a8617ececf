"""`POST /v1/compare`: one question to both models, as one stream of events.

Red flags come before anything of an answer. Blind, the panes are called A and B, which
is which is drawn here and stays here, and names in the answers are hidden, until the
client asks for them by `POST /v1/compare/ID/reveal`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from medassist import __version__
from medassist.consult.answer import ModelFile, Source
from medassist.consult.blind import Veil, veil
from medassist.consult.sides import Sides, drawn
from medassist.core.clean import Cleaner, clean
from medassist.core.values import Message, Mode, PaneName, TooLong
from medassist.engine.wire import Answered, Question, Reading, Written
from medassist.serve.comparisons import KeptComparisons, ServedComparison, comparison_of
from medassist.serve.desk import Desk, told, user_of
from medassist.serve.errors import Refusal
from medassist.serve.limits import MOST_MESSAGES
from medassist.serve.openai.chat import ChatMessage
from medassist.serve.openai.request_parameters import (
    Stop,
    Strict,
    conversation,
    questions_of,
    text_of,
)
from medassist.serve.stream import TicketStream, comment, event_of
from medassist.serve.ticket import Ticket, Waits
from medassist.session.checked_question import CheckedQuestion

ROUTE: Final = "compare"
Conversation = Annotated[list[ChatMessage], MinLen(1), MaxLen(MOST_MESSAGES)]


class ComparedSampling(Strict):
    """Settings for choosing tokens, in the words of `medassist ask`."""

    temperature: Annotated[float, Ge(0), Le(10)] | None = None
    top_k: Annotated[int, Ge(0)] | None = None
    top_p: Annotated[float, Ge(0), Le(1)] | None = None
    min_p: Annotated[float, Ge(0), Le(1)] | None = None
    repeat_penalty: Annotated[float, Ge(0.01), Le(10)] | None = None
    seed: Annotated[int, Ge(0), Le(2**32 - 2)] | None = None
    max_tokens: Annotated[int, Ge(1)] | None = None
    max_thought_tokens: Annotated[int, Ge(1)] | None = None
    thinking: Literal["auto", "on", "off"] | None = None
    stop: Annotated[list[Stop], MaxLen(4)] | None = None

    def changes(self) -> dict[str, Any]:
        """The values of `Sampling` that it says."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        found = {name: value for name, value in said.items() if value is not None}
        if "stop" in found:
            found["stop"] = tuple(found["stop"])
        return found


class CompareRequest(Strict):
    """Request for a comparison.

    Attributes:
        messages: one conversation for both, or one by pane (by side, where blind): each
            model goes on from its own answers.
        sampling: how tokens are chosen.
        mode: how the panes share the processor.
        blind: the names are hidden.
        sides_of: the id of an earlier blind comparison whose sides are kept.
    """

    messages: Conversation | Annotated[dict[str, Conversation], MinLen(1), MaxLen(2)]
    sampling: ComparedSampling = ComparedSampling()
    mode: Mode | None = None
    blind: bool = False
    sides_of: Annotated[str, MaxLen(64)] | None = None


def router(desk: Desk, kept: KeptComparisons) -> APIRouter:
    """The routes of comparisons, whose sides `kept` remembers."""
    routes = APIRouter()

    @routes.post("/v1/compare")
    async def compare(body: CompareRequest, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        user = user_of(request)
        made = comparison_of(desk.source, _sides(body, kept, user))
        asked = _conversations(body, made)
        questions: dict[PaneName, Question] = {
            pane: desk.question(pane, messages, body.sampling.changes())
            for pane, messages in asked.items()
        }
        checked = await desk.checked(user, *questions_of(next(iter(asked.values()))))
        mode = body.mode or desk.source.mode
        ticket = await desk.enter(request, ROUTE, questions, mode)
        kept.keep(user, ticket.id, made)
        stream = ComparedAnswers(desk, made, ticket, checked, asked)
        return TicketStream(stream.events(), desk.queue, ticket)

    @routes.delete("/v1/compare/{id}")
    async def stop(  # pyright: ignore[reportUnusedFunction]
        id: str, request: Request, pane: str | None = None
    ) -> Response:
        ticket = desk.queue.ticket(id, user_of(request))
        if ticket is None:
            raise Refusal(404, "not_found", "There is no such comparison under way.")
        made = kept.of(user_of(request), id)
        desk.queue.stop(ticket, _pane(pane, made) if pane else None)
        return JSONResponse({"id": id, "stopped": pane or "all"})

    @routes.post("/v1/compare/{id}/reveal")
    async def reveal(id: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        made = kept.of(user_of(request), id)
        return JSONResponse({"id": id, **made.revealed()})

    return routes


class ComparedAnswers:
    """The stream of one comparison.

    Args:
        desk: where it was asked.
        made: which pane is which side.
        ticket: its place in the queue.
        checked: what the red-flag rules found.
        asked: the conversation of each pane.
    """

    def __init__(
        self,
        desk: Desk,
        made: ServedComparison,
        ticket: Ticket,
        checked: CheckedQuestion,
        asked: Mapping[PaneName, Sequence[Message]],
    ) -> None:
        self._desk = desk
        self._made = made
        self._ticket = ticket
        self._checked = checked
        self._asked = asked
        self._answers: dict[PaneName, Answered] = {}
        self._cleaners: dict[PaneName, tuple[Cleaner, Cleaner]] = {}
        self._veil = _veil(made) if made.sides.blind else None

    async def events(self) -> AsyncIterator[bytes]:
        """All that the client is sent."""
        yield event_of(self._red_flags(), "red_flags")
        try:
            async for event in self._ticket.events():
                if isinstance(event, Answered):
                    self._answers[event.pane] = event
                sent = self._hidden(event) if self._veil else await self._of(event)
                if sent:
                    yield sent
        except Refusal as refusal:
            yield event_of({**refusal.body, "id": self._ticket.id}, "error")
            return
        if self._veil:
            for pane in self._made.sides.order(self._answers):
                yield event_of(await self._answered(pane), "answered")
        yield event_of(await self._done(), "done")

    def _red_flags(self) -> dict[str, Any]:
        models = self._desk.source.models
        found = told(self._checked, models[0])
        # A notice that one model has and the other lacks would tell them apart.
        found["notice"] = next((m.notice for m in models if m.notice), None)
        sides = sorted(map(self._made.label, self._asked))
        return {"id": self._ticket.id, "panes": sides, **found}

    def _hidden(self, event: Any) -> bytes | None:
        """Event for a client who must not know the names; progress would tell them.

        So the answers are held back until both are over.
        """
        match event:
            case Waits():
                return _queue(event)
            case TooLong():
                return self._too_long(event)
            case _:
                return comment("being answered")

    async def _of(self, event: Any) -> bytes | None:
        match event:
            case Waits():
                return _queue(event)
            case Reading():
                data = {"pane": event.pane, "done": event.done, "total": event.total}
                return event_of({**data, "reused": event.reused}, "reading")
            case Written():
                return event_of(self._written(event), "written")
            case Answered():
                return event_of(await self._answered(event.pane), "answered")
            case TooLong():
                return self._too_long(event)
            case _:
                return None

    def _too_long(self, event: TooLong) -> bytes:
        data = {"tokens": event.tokens, "fits": event.fits}
        return event_of({"pane": self._made.label(event.pane), **data}, "too_long")

    def _written(self, event: Written) -> dict[str, Any]:
        text, thought = self._cleaners.setdefault(event.pane, (Cleaner(), Cleaner()))
        if event.restart:
            text.finish()
        return {
            "pane": event.pane,
            "text": text.push(event.text),
            "tokens": event.tokens,
            "thought": thought.push(event.thought),
            "thought_tokens": event.thought_tokens,
            "restart": event.restart,
        }

    async def _answered(self, pane: PaneName) -> dict[str, Any]:
        event = self._answers[pane]
        figures = event.figures
        found: dict[str, Any] = {
            "pane": self._made.label(pane),
            "text": self._shown(event.text),
            "stop_reason": figures.ending,
            "notices": await self._review(pane),
        }
        if self._veil:  # speed and length tell the models apart, and so does a thought
            return found
        return {
            **found,
            "thought": clean(event.thought) or None,
            "tokens_read": figures.tokens_read,
            "tokens_reused": figures.tokens_reused,
            "tokens_written": figures.tokens_written,
            "thought_tokens": figures.tokens_thought,
            "ttft_s": figures.ttft_s,
            "tok_per_s": figures.tok_per_s,
            "seed": event.sampling.seed,
        }

    async def _review(self, pane: PaneName) -> list[str]:
        """Review below an answer: doses worth a second look, and sources."""
        from medassist.safety.review import review

        question, earlier = questions_of(self._asked[pane])
        story = "\n".join([*earlier, question])
        others = [a.text for other, a in self._answers.items() if other != pane]
        answer = self._answers[pane].text
        found = await asyncio.to_thread(review, story, answer, "".join(others))
        return [self._shown(said) for said in (*found.warnings, found.sources)]

    def _shown(self, text: str) -> str:
        text = clean(text)
        return self._veil.mask(text) if self._veil is not None else text

    async def _done(self) -> dict[str, Any]:
        # Doses of one answer are held against the other's once both are there.
        notices = {
            self._made.label(pane): await self._review(pane) for pane in self._answers
        }
        blind = self._made.sides.blind
        return {
            "id": self._ticket.id,
            "outcome": self._ticket.outcome,
            "notices": notices,
            "medassist": __version__,
            "mode": self._ticket.mode,
            "provenance": None if blind else dict(self._made.provenance),
        }


def _queue(event: Waits) -> bytes:
    data = {"position": event.position, "eta_s": event.eta_s}
    return event_of(data, "queue")


def _sides(body: CompareRequest, kept: KeptComparisons, user: str) -> Sides:
    if not body.blind:
        if body.sides_of is not None:
            raise Refusal(
                400, "invalid_value", "'sides_of' is for blind comparisons.", "sides_of"
            )
        return Sides()
    if body.sides_of is not None:
        return kept.of(user, body.sides_of).sides
    if not isinstance(body.messages, list):
        raise Refusal(
            400,
            "invalid_value",
            "Which side is which is not drawn yet: begin with one conversation for "
            "both, and name it in 'sides_of' from then on.",
            "messages",
        )
    return drawn()


def _conversations(
    body: CompareRequest, made: ServedComparison
) -> dict[PaneName, tuple[Message, ...]]:
    if isinstance(body.messages, list):
        both = _messages(body.messages)
        return dict.fromkeys(made.panes, both)
    found: dict[PaneName, tuple[Message, ...]] = {
        _pane(name, made): _messages(said) for name, said in body.messages.items()
    }
    questions = {messages[-1].content for messages in found.values()}
    if len(questions) > 1:
        raise Refusal(
            400,
            "invalid_value",
            "Both conversations have to end with the same question.",
            "messages",
        )
    return {pane: found[pane] for pane in made.panes if pane in found}


def _messages(said: Sequence[ChatMessage]) -> tuple[Message, ...]:
    return conversation([(one.role, text_of(one.content)) for one in said])


def _pane(label: str, made: ServedComparison) -> PaneName:
    for pane in made.panes:
        if made.label(pane) == label:
            return pane
    known = " and ".join(sorted(map(made.label, made.panes)))
    raise Refusal(400, "invalid_value", f"The panes here are {known}.", "pane")


def _veil(made: ServedComparison) -> Veil:
    """Hides what names a model of this comparison."""
    return veil(
        Source(
            str(found["model"]),
            adapter=str(found["adapter"] or ""),
            files=tuple(ModelFile(Path(name), 0, 0) for name in found["files"]),
        )
        for found in made.provenance.values()
    )
