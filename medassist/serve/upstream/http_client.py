"""The HTTP client of the one host that answers: bounds, its key, the guard's door.

The guard stays on and is opened for this host alone, as long as the server runs. No
proxy, no variable of the environment and no redirection leads anywhere else, and the
key goes nowhere but there. Connections are not kept: one that the host has closed
meanwhile would fail the next question, and closing it is how an answer is stopped.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

import httpx2

from medassist.core import guard
from medassist.core.way_out import DIRECT, WayOut
from medassist.serve.upstream.options import EngineAddress

CONNECT_S: Final = 10.0
SILENCE_S: Final = 300.0
"""So long it may send nothing: it may have a queue of its own."""
MOST_ANSWER: Final = 1024 * 1024
"""Bytes of an answer that is no stream."""
MOST_LINE: Final = 1024 * 1024
MOST_STREAM: Final = 64 * 1024 * 1024
TRIES: Final = 3
"""Its name may stand for other addresses at each look-up."""


class NoAnswer(Exception):
    """The host was not reached, or what it sent is no answer; it says why."""


class HttpClient:
    """Requests to one host.

    Args:
        place: where it is.
        key: that it wants; empty: none.
        trust: which certificates are trusted beside the system's own.
    """

    def __init__(
        self, place: EngineAddress, key: str = "", trust: WayOut = DIRECT
    ) -> None:
        self.place = place
        self._key = key
        context = httpx2.create_ssl_context(trust_env=False)
        trust.trust_in(context)
        headers = {"User-Agent": "medassist", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(
                verify=context, limits=httpx2.Limits(max_keepalive_connections=0)
            ),
            timeout=httpx2.Timeout(SILENCE_S, connect=CONNECT_S, pool=None),
            headers=headers,
            trust_env=False,
            follow_redirects=False,
        )
        self._door = ExitStack()
        self._is_open = place.is_here

    def without_key(self, text: str) -> str:
        """`text` without the key, should the host repeat it."""
        return text.replace(self._key, "…") if self._key else text

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of what it has at `path`.

        Raises:
            NoAnswer: nothing that can be used came.
        """
        async with self._sent("GET", path) as answer:
            return answer.status_code, await _whole(answer)

    @asynccontextmanager
    async def asked(
        self, path: str, body: dict[str, Any]
    ) -> AsyncGenerator[tuple[int, bytes, AsyncIterator[str]]]:
        """Status, body (of an error) and events of a stream, until the block ends.

        Raises:
            NoAnswer: it was not reached, or broke off.
        """
        async with self._sent("POST", path, body) as answer:
            if answer.status_code != 200:
                yield answer.status_code, await _whole(answer), _events(answer)
            else:
                yield 200, b"", _events(answer)

    async def close(self) -> None:
        """Close the connections, and the door in the guard."""
        await self._client.aclose()
        self._door.close()

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        request = self._client.build_request(
            method, self.place.url + path, json=body if body is not None else None
        )
        try:
            answer = await self._send(request)
            try:
                yield answer
            finally:
                await answer.aclose()
        except (httpx2.HTTPError, OSError) as error:
            raise NoAnswer(_why(error)) from error

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        for left in reversed(range(TRIES)):
            if not self._is_open:
                # The name is looked up, which takes a while.
                await asyncio.to_thread(self._open)
            try:
                return await self._client.send(request, stream=True)
            except httpx2.ConnectError:
                if self.place.is_here or not left:
                    raise
                # The guard lets through the addresses that it has seen.
                self._door.close()
                self._is_open = False
        raise AssertionError

    def _open(self) -> None:
        self._door.enter_context(guard.opened(self.place.name, self.place.port))
        self._is_open = True


async def _whole(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > MOST_ANSWER:
            raise NoAnswer(f"it sends more than {MOST_ANSWER:,} bytes")
    return bytes(body)


async def _events(answer: httpx2.Response) -> AsyncIterator[str]:
    """The data of server-sent events, one line each as these engines send them."""
    held, came = bytearray(), 0
    async for piece in answer.aiter_raw():
        held += piece
        came += len(piece)
        *lines, rest = bytes(held).split(b"\n")
        held = bytearray(rest)
        if len(held) > MOST_LINE or came > MOST_STREAM:
            raise NoAnswer("it sends more than an answer can be")
        for line in lines:
            name, _, data = line.partition(b":")
            if name == b"data":
                yield data.strip().decode(errors="replace")


def _why(error: Exception) -> str:
    """Why the host was not reached, in a few words; none of them is content."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({cause.verify_message}); name the "
                "one that it stems from as ca_file in [network] of settings.toml"
            )
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx2.ConnectTimeout() | httpx2.ConnectError():
            return "no connection"
        case httpx2.TimeoutException():
            return f"it sent nothing for {SILENCE_S:.0f} seconds"
        case httpx2.HTTPError():
            return "the connection broke off"
        case _:
            return f"{getattr(error, 'strerror', None) or type(error).__name__}"
