"""The way out: a client that reaches the named hosts, and nothing else.

The offline guard stays on. Each host is opened in it when a request to it comes up, and
a redirect to a host that was not named is refused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch

import httpx2 as httpx

from finetune.errors import FinetuneError
from medassist.core import guard

TIMEOUT = 30.0  # seconds without a byte
# Names such as a bucket's stand for other addresses at each look-up, and the guard lets
# through those that it saw.
_LOOKUPS = 10


class FetchError(FinetuneError):
    """A download failed; the message says what to do."""


class NamedHosts(httpx.BaseTransport):
    """Sends requests to the hosts that it was made with."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """Args: hosts: names; `*.hf.co` stands for all names that end so."""
        self._hosts = tuple(hosts)
        self._inner = httpx.HTTPTransport(retries=0)
        self._opened = ExitStack()
        self._known: set[tuple[str, int]] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        local = guard.is_local(host)
        if not any(fnmatch(host, pattern) for pattern in self._hosts):
            raise FetchError(
                f"the server sends us on to {host}, which is none of the hosts that "
                f"were announced ({', '.join(self._hosts)}); nothing was sent there"
            )
        if request.url.scheme != "https" and not local:
            raise FetchError(f"{request.url} is not encrypted; only https is used")
        if local:
            return self._inner.handle_request(request)
        port = request.url.port or 443
        if (host, port) not in self._known:
            self._open(host, port)
        for look in range(_LOOKUPS):
            try:
                return self._inner.handle_request(request)
            except httpx.TransportError as error:
                if look + 1 == _LOOKUPS or not _was_refused(error):
                    raise
                self._open(host, port)
        raise AssertionError

    def close(self) -> None:
        """Close the connections and the hosts."""
        self._inner.close()
        self._opened.close()
        self._known.clear()

    def _open(self, host: str, port: int) -> None:
        try:
            self._opened.enter_context(guard.opened(host, port))
        except OSError as error:
            raise FetchError(
                f"{host} cannot be looked up ({error.strerror or error}); is this "
                "computer online?"
            ) from error
        self._known.add((host, port))


@contextmanager
def connected(hosts: Iterable[str]) -> Generator[httpx.Client]:
    """A client for `hosts`, for as long as it is needed."""
    with httpx.Client(
        transport=NamedHosts(hosts),
        follow_redirects=True,
        timeout=TIMEOUT,
        headers={"User-Agent": "medassist", "Accept-Encoding": "identity"},
        trust_env=False,
    ) as client:
        yield client


def _was_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, guard.NetworkRefused):
            return True
        error = error.__cause__ or error.__context__
    return False
