"""An answer in the form of Ollama's API: JSON, a line for each piece where streamed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from medassist.core.values import Figures, TooLong
from medassist.engine.wire import Answered, Written
from medassist.serve.desk import does_not_fit
from medassist.serve.errors import Refusal
from medassist.serve.openai.usage import finish_reason
from medassist.serve.stream import Heard
from medassist.serve.ticket import Ticket

Form = Literal["chat", "generate"]
MEDIA_TYPE: Final = "application/x-ndjson"
NS: Final = 10**9


class OllamaAnswer:
    """The answer to one request.

    Args:
        form: of the route.
        model: its name, as the client wrote it.
        beside: what is told beside the answer, which other clients skip.
        heard: holds back what may be a thought.
    """

    def __init__(
        self, form: Form, model: str, beside: dict[str, Any], heard: Heard
    ) -> None:
        self._form = form
        self._model = model
        self._beside = beside
        self._heard = heard

    def whole(self, ticket: Ticket, answered: Answered) -> dict[str, Any]:
        """The answer as one object."""
        return {
            **self._piece(answered.text, answered.thought),
            **last(ticket, answered.figures),
            "medassist": self._beside,
        }

    def none(self, reason: str) -> dict[str, Any]:
        """Answer where nothing was asked."""
        return {**self._piece("", ""), "done": True, "done_reason": reason}

    async def stream(self, ticket: Ticket) -> AsyncIterator[bytes]:
        """The answer as it is written; an error in its midst ends it."""
        yield _line({**self._piece("", ""), "medassist": self._beside})
        try:
            async for event in ticket.events():
                match event:
                    case Written():
                        text, thought = self._heard.take(event)
                        more = {"medassist": {"restart": True}} if event.restart else {}
                        if text or thought or more:
                            yield _line({**self._piece(text, thought), **more})
                    case Answered():
                        if rest := self._heard.rest():
                            yield _line(self._piece(rest, ""))
                        end = last(ticket, event.figures)
                        yield _line({**self._piece("", ""), **end})
                    case TooLong():
                        raise does_not_fit(event)
                    case _:
                        pass
        except Refusal as refusal:
            yield _line(refusal.of_ollama)

    def _piece(self, text: str, thought: str) -> dict[str, Any]:
        thinking = {"thinking": thought} if thought else {}
        if self._form == "chat":
            message = {"role": "assistant", "content": text, **thinking}
            said: dict[str, Any] = {"message": message}
        else:
            said = {"response": text, **thinking}
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {"model": self._model, "created_at": now, **said, "done": False}


def last(ticket: Ticket, figures: Figures) -> dict[str, Any]:
    """Fields of the last line: why it ended, tokens, and times in ns.

    `eval_count` by `eval_duration`, as clients reckon it, is the speed of the tokens
    after the first; `total_duration` has the time in the queue, the others have not.
    """
    total = round((time.monotonic() - ticket.came_at) * NS)
    read = round((figures.ttft_s or 0) * NS)
    speed = figures.tok_per_s
    written = round(figures.tokens_written / speed * NS) if speed else 0
    return {
        "done": True,
        "done_reason": finish_reason(figures, cut_off=ticket.cut_off),
        "total_duration": total,
        "load_duration": 0,
        "prompt_eval_count": figures.tokens_read + figures.tokens_reused,
        "prompt_eval_duration": read,
        "eval_count": figures.tokens_written,
        "eval_duration": written or max(1, total - read),
    }


def _line(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"
