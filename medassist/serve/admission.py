"""Admission: what a request has to be before anything of the server looks at it.

Pages of other sites reach a server on loopback through the browser of its user, and so
do other users of the computer. So a request is let in by an exact `Host` (a name that
was rebound to 127.0.0.1 is another one), without a foreign `Origin`, with a token, as
JSON, within its bounds, and no header is sent that would let a page of another site
read the answer. Pure ASGI: a middleware of Starlette's would hide that a client left.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from medassist.serve.errors import Refusal, broken, place_of
from medassist.serve.limits import Limits
from medassist.serve.users import Users

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN: Final = frozenset({"/health"})
"""Paths that need no token."""
SAFE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer, unless it brings a header of that name itself."""
IN_ADDRESS: Final = re.compile(r"/t/([^/]*)")
"""A token that stands in the address, for a client that cannot send a header."""
DROPPED: Final = 16
"""So many times the largest body are read of one that is larger."""
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass
class Watchers:
    """Callbacks for what admission saw; of a request only what is no content.

    Attributes:
        refused: a request was turned away: its user if known, path, and the code.
        answered: a request was answered: its path, and the status.
        failed: something of the server broke: in a sentence without content.
    """

    refused: Callable[[str | None, str, Refusal], None]
    answered: Callable[[str, int], None]
    failed: Callable[[str], None]


class Admission:
    """Admits requests to the app behind it, or refuses them.

    Args:
        app: what is behind it.
        hosts: each `Host` that is let in, with its port.
        scheme: `http` or `https`, as the addresses of this server begin.
        users: who is let in, at this moment.
        limits: of the body.
        watchers: are told of what it saw.
        opened: paths that need no token.
        in_address: where a path begins so, a token in the address is one too.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: frozenset[str],
        scheme: str,
        users: Callable[[], Users],
        limits: Limits,
        watchers: Watchers,
        opened: frozenset[str] = OPEN,
        in_address: str | None = None,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(f"{scheme}://{host}" for host in hosts)
        self._users = users
        self._limits = limits
        self._watchers = watchers
        self._opened = opened
        self._in_address = in_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        user: str | None = None
        # The token goes out of the address here, so that nobody behind can tell it on.
        path, token = _without_token(str(scope["path"]))
        if token is not None:
            scope["path"], scope["raw_path"] = path, quote(path).encode()
        try:
            headers = _Headers(scope)
            self._expect_from_here(headers)
            user = self._user(path, headers, token)
            _expect_json(str(scope["method"]), headers)
            body = await self._body(receive)
            scope.setdefault("state", {})["user"] = user
            await self._app(scope, _replay(body, receive), answer.send)
        except Refusal as refusal:
            self._watchers.refused(user, path, refusal)
            await answer.refuse(refusal, path)
        except _Gone:
            return
        except Exception as error:
            # Its message may quote what the client has sent: its kind and place do not.
            self._watchers.failed(f"{type(error).__name__} in {place_of(error)}")
            await answer.refuse(broken(), path)
        finally:
            if answer.status:
                self._watchers.answered(path, answer.status)

    def _expect_from_here(self, headers: _Headers) -> None:
        if headers.all("host") not in [[host] for host in self._hosts]:
            raise Refusal(
                403,
                "host_not_allowed",
                "This server is not called by the name that stands in Host. Use one of "
                "the addresses that it has printed.",
            )
        origins = headers.all("origin")
        if origins and (len(origins) > 1 or origins[0] not in self._origins):
            raise Refusal(
                403,
                "origin_not_allowed",
                "A page of another site asks here. Only this server's own may.",
            )
        sites = headers.all("sec-fetch-site")
        if any(site not in ("same-origin", "none") for site in sites):
            raise Refusal(
                403,
                "site_not_allowed",
                "A page of another site leads here. Open the address by itself.",
            )

    def _user(self, path: str, headers: _Headers, token: str | None) -> str | None:
        opened = path in self._opened and token is None
        said = headers.all("authorization")
        scheme, _, sent = said[0].partition(" ") if len(said) == 1 else ("", "", "")
        if token is None and scheme.lower() == "bearer":
            token = sent.strip()
        elif self._in_address is None or not path.startswith(self._in_address):
            token = None
        user = self._users().of(token) if token else None
        if user is None and not opened:
            raise Refusal(
                401,
                "invalid_api_key",
                "No token that is valid here came with the request. Send it as "
                "'Authorization: Bearer TOKEN'.",
            )
        return user

    async def _body(self, receive: Receive) -> bytes:
        """All of the body, so that who is behind waits for nobody's bytes.

        Of one that is too large, what does not run to the absurd is read and dropped: a
        client that is still sending would not see why it is refused.
        """
        most = self._limits.body_bytes
        body = bytearray()
        came = 0
        try:
            async with asyncio.timeout(self._limits.body_s):
                while came <= DROPPED * most:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    piece = message.get("body", b"")
                    came += len(piece)
                    if came <= most:
                        body += piece
                    if not message.get("more_body"):
                        break
        except TimeoutError:
            if came <= most:
                raise Refusal(
                    408,
                    "request_timeout",
                    f"The body had not come after {self._limits.body_s:.0f} seconds.",
                ) from None
        if came > most:
            raise _too_large(most)
        return bytes(body)


class _Gone(Exception):
    """The client left before its request was whole."""


class _Headers:
    def __init__(self, scope: Scope) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            found = self._values.setdefault(name.decode("latin-1").lower(), [])
            found.append(value.decode("latin-1"))

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")


class _Answer:
    """Sends an answer with the headers that every one has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = [*message.get("headers", [])]
            there = {bytes(name).lower() for name, _ in headers}
            headers += [
                (name.lower().encode(), value.encode())
                for name, value in SAFE_HEADERS.items()
                if name.lower().encode() not in there
            ]
            message["headers"] = headers
        await self._send(message)

    async def refuse(self, refusal: Refusal, path: str) -> None:
        if self.status:
            return  # it has begun already: it ends here, and is seen not to be whole
        body = json.dumps(refusal.body_at(path)).encode()
        more = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **refusal.headers,
        }
        if refusal.status in (408, 413):
            more["Connection"] = "close"  # what is left of the body is not read
        headers = [
            (name.lower().encode(), text.encode()) for name, text in more.items()
        ]
        await self.send(
            {
                "type": "http.response.start",
                "status": refusal.status,
                "headers": headers,
            }
        )
        await self.send({"type": "http.response.body", "body": body})


def _without_token(path: str) -> tuple[str, str | None]:
    """The path without the token that stands in it; `None`: there is none."""
    found = IN_ADDRESS.match(path)
    return (path[found.end() :] or "/", found[1]) if found else (path, None)


def _expect_json(method: str, headers: _Headers) -> None:
    has_body = headers.one("content-length") not in ("", "0")
    has_body = has_body or bool(headers.all("transfer-encoding"))
    if method in _BODILESS or (method == "DELETE" and not has_body):
        return
    kind, _, rest = headers.one("content-type").partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise Refusal(
            415,
            "unsupported_media_type",
            "Send JSON in UTF-8, with 'Content-Type: application/json'.",
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives `body`, and afterwards what comes: that the client left."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _too_large(most: int) -> Refusal:
    return Refusal(
        413, "request_too_large", f"A request may have {most:,} bytes at most."
    )
