"""uvicorn's protocol of HTTP/1.1, with a deadline for the headers of a request.

A client that sends a byte of its headers now and then would hold a connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def with_deadline(headers_s: float) -> type[H11Protocol]:
    """The protocol, which closes a connection whose headers are not whole in time."""

    class Punctual(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._begin()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._whole()
            elif self._late is None:
                self._begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self._whole()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
                self._begin()  # the next request has begun already

        def _begin(self) -> None:
            self._late = self.loop.call_later(headers_s, self.transport.close)

        def _whole(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Punctual
