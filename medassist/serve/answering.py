"""A question to one model on its way through the queue, in the form a client wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from fastapi import Request
from starlette.responses import JSONResponse, Response

from medassist.engine.wire import Answered, Question
from medassist.serve.desk import Desk, fits, whole
from medassist.serve.served_pair import ServedModel
from medassist.serve.stream import MEDIA_TYPE, Heard, TicketStream, while_there
from medassist.serve.ticket import Ticket


class AnswerForm(Protocol):
    """The form of an answer in one of the protocols."""

    def whole(self, ticket: Ticket, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        ...

    def stream(self, ticket: Ticket) -> AsyncIterator[bytes]:
        """The answer as it is written."""
        ...


def heard(model: ServedModel, question: Question) -> Heard:
    """Holds back what may be a thought, where the model can have one."""
    return Heard(model.thinks and question.sampling.thinking != "off")


async def answer(
    desk: Desk,
    request: Request,
    route: str,
    asked: tuple[ServedModel, Question],
    form: AnswerForm,
    *,
    streamed: bool,
    media_type: str = MEDIA_TYPE,
) -> Response:
    """Have a question answered, as long as its client waits for that.

    Raises:
        Refusal: it is not taken, does not fit, or went wrong before a stream began.
        ClientLeft: nobody waits any more.
    """
    model, question = asked
    ticket = await desk.enter(request, route, {model.pane: question})
    try:
        if streamed:
            await while_there(request, fits(ticket))
            return TicketStream(form.stream(ticket), desk.queue, ticket, media_type)
        (answered,) = (await while_there(request, whole(ticket))).values()
        return JSONResponse(form.whole(ticket, answered))
    except BaseException:
        desk.queue.leave(ticket)
        raise
