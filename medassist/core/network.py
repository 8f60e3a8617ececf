"""HTTP client that reaches only the hosts it was made for.

Only what the user asked for by name comes here, a download or a publication. The
offline guard stays on: it is opened for a named host when a request to it comes up, or,
where the user has a proxy, for the proxy alone, which then looks the names up. This
computer itself is never asked for by a proxy, and no variable of the environment
(HTTPS_PROXY, SSL_CERT_FILE ...) changes the way.

It is imported where something is to be sent: the plain install lacks its library.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import httpx2

from medassist.core import guard
from medassist.core.errors import NetworkError, UnnamedHost
from medassist.core.way_out import DIRECT, WayOut, address_of

E = TypeVar("E", bound=BaseException)
SILENCE_S = 30.0
"""So long a server may send nothing."""
CONNECT_S = 30.0
LOOKUPS = 10
"""A name such as a bucket's stands for other addresses at each look-up, and the guard
lets through those that it saw: so often it is looked up again."""


@contextmanager
def connected(
    hosts: Iterable[str],
    way: WayOut = DIRECT,
    *,
    silence_s: float = SILENCE_S,
    in_clear: bool = False,
) -> Generator[httpx2.Client]:
    """A client for `hosts`, for as long as it is needed.

    Its requests raise NetworkError, where the way fails, beside the errors of httpx2.

    Args:
        hosts: names; `*.hf.co` stands for all names that end so.
        way: by which proxy, and which certificates are trusted.
        silence_s: seconds without a byte until the connection is given up.
        in_clear: other computers may be asked without TLS, too.

    Raises:
        NetworkError: the file of certificates cannot be used.
    """
    with httpx2.Client(
        transport=NamedHosts(hosts, way, in_clear=in_clear),
        follow_redirects=True,
        timeout=httpx2.Timeout(silence_s, connect=CONNECT_S),
        headers={"User-Agent": "medassist", "Accept-Encoding": "identity"},
    ) as client:
        yield client


@contextmanager
def let_through(places: Iterable[tuple[str, int]], way: WayOut) -> Generator[None]:
    """Open the guard for a library that has a client of its own.

    Args:
        places: hosts and ports; with a proxy, its own is opened in their place.
        way: how the library was told to go.

    Raises:
        NetworkError: a name cannot be looked up.
    """
    with ExitStack() as doors:
        for host, port in [address_of(way.proxy)] if way.proxy else places:
            try:
                doors.enter_context(guard.opened(host, port))
            except OSError as error:
                whose = "the proxy " if way.proxy else ""
                raise NetworkError(
                    f"{whose}{host} cannot be looked up ({error.strerror or error}); "
                    "see that this computer is online"
                ) from error
        yield


def was_refused(error: BaseException | None) -> bool:
    """Whether the guard stopped it: the name stands for another address by now."""
    return _cause(error, guard.NetworkRefused) is not None


class NamedHosts(httpx2.BaseTransport):
    """Sends requests to the hosts that it was made with."""

    def __init__(
        self, hosts: Iterable[str], way: WayOut = DIRECT, *, in_clear: bool = False
    ) -> None:
        self._hosts = tuple(hosts)
        self._way = way
        self._in_clear = in_clear
        trust = httpx2.create_ssl_context(trust_env=False)
        way.trust_in(trust)
        self._direct = httpx2.HTTPTransport(verify=trust)
        self._proxied = (
            httpx2.HTTPTransport(
                verify=trust, proxy=httpx2.Proxy(way.proxy, ssl_context=_of(way, trust))
            )
            if way.proxy
            else self._direct
        )
        self._doors = ExitStack()
        self._open: set[tuple[str, int]] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host, port = address_of(str(request.url))
        if not any(_names(pattern, host) for pattern in self._hosts):
            raise UnnamedHost(
                f"the server sends us on to {host}, which is none of the hosts that "
                f"were shown ({', '.join(self._hosts)}). Nothing was sent there",
                host,
            )
        if guard.is_local(host):
            return self._direct.handle_request(request)
        if request.url.scheme != "https" and not self._in_clear:
            raise NetworkError(
                f"{host} would be asked without TLS, so that what is sent and fetched "
                "could be read and changed on the way. It is not encrypted: nothing "
                "was sent there"
            )
        for left in reversed(range(LOOKUPS)):
            self._open_for((host, port))
            try:
                return self._proxied.handle_request(request)
            except httpx2.TransportError as error:
                if left and was_refused(error):
                    self._open.clear()
                    continue
                if (told := self._sentence(host, error)) is not None:
                    raise NetworkError(told) from error
                raise
        raise AssertionError

    def close(self) -> None:
        """Close the connections and the doors in the guard."""
        self._direct.close()
        self._proxied.close()
        self._doors.close()
        self._open.clear()

    def _open_for(self, place: tuple[str, int]) -> None:
        if place not in self._open:
            self._doors.enter_context(let_through([place], self._way))
            self._open.add(place)

    def _sentence(self, host: str, error: httpx2.TransportError) -> str | None:
        """Sentence on what lies between us and `host`, where that is at fault."""
        distrusted = _cause(error, ssl.SSLCertVerificationError)
        if distrusted is not None:
            return (
                f"the certificate that is shown for {host}{self._way.told} is not "
                f"trusted ({distrusted.verify_message}). Where a network opens all "
                "connections, its own certificate is needed: ask who runs it for the "
                "file, and name it as ca_file in [network] of settings.toml"
            )
        if isinstance(error, httpx2.ProxyError):
            step = "Ask who runs it whether this host is allowed"
            if str(error).startswith("407"):
                step = (
                    "It wants a name and a password: write them into proxy in "
                    "[network] of settings.toml, as http://NAME:PASSWORD@HOST:PORT"
                )
            return (
                f"the proxy {self._way.shown} does not let us through to {host} "
                f"({error}). {step}"
            )
        if self._way.proxy and isinstance(
            error, httpx2.ConnectError | httpx2.ConnectTimeout
        ):
            return (
                f"the proxy {self._way.shown} does not answer ({error}). Look at its "
                "address, in --proxy or in [network] of settings.toml"
            )
        return None


def _of(way: WayOut, trust: ssl.SSLContext) -> ssl.SSLContext | None:
    """Certificates that are trusted for a proxy which is itself reached by TLS."""
    return trust if way.proxy.startswith("https:") else None


def _names(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern


def _cause(error: BaseException | None, kind: type[E]) -> E | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error
