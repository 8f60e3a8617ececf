"""Answers on their way to a client: server-sent events, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from medassist.engine.wire import Reading, Written
from medassist.serve.queue import FairQueue
from medassist.serve.served_pair import Event
from medassist.serve.ticket import Ticket, Waits

T = TypeVar("T")
MEDIA_TYPE = "text/event-stream"


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """Do `work` as long as the client waits for it.

    A server is not told that the client of a JSON answer has left: one has to look.

    Raises:
        ClientLeft: it left; `work` was cancelled.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientLeft
    finally:
        for task in (doing, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event_of(data: object, name: str = "") -> bytes:
    """An event of a stream of server-sent events."""
    said = f"event: {name}\n" if name else ""
    return f"{said}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def comment(text: str) -> bytes:
    """A line that clients skip, and that shows them that something is done."""
    return f": {text}\n\n".encode()


def progress(event: Event | Waits) -> bytes | None:
    """Progress for clients of OpenAI's protocol, while nothing is written yet."""
    match event:
        case Waits():
            return comment(f"{event.position} before you, about {event.eta_s:.0f} s")
        case Reading():
            return comment(f"reading {event.done} of {event.total} tokens")
        case _:
            return None


class TicketStream(StreamingResponse):
    """A stream of events that gives its ticket back, however it ends."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        queue: FairQueue,
        ticket: Ticket,
        media_type: str = MEDIA_TYPE,
    ) -> None:
        # Proxies hold back what may be compressed or grow.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(content, media_type=media_type, headers=headers)
        self._queue = queue
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._queue.leave(self._ticket)


@dataclass
class Heard:
    """Tells what of an answer is shown at once.

    A model may close a thought that nobody has seen it open. What was sent cannot be
    taken back, so what a model that thinks begins with waits until it is told apart.
    """

    thinks: bool
    _held: str = ""
    _apart: bool = False

    def take(self, event: Written) -> tuple[str, str]:
        """The text and the thought that can be sent now."""
        self._apart |= event.restart or event.thought_tokens > 0
        if event.restart:
            self._held = ""
        text = self._held + event.text
        if self.thinks and not self._apart:
            self._held = text
            return "", event.thought
        self._held = ""
        return text, event.thought

    def rest(self) -> str:
        """Text that waited, when all is written."""
        held, self._held = self._held, ""
        return held
