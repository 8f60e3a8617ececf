"""The sockets that the server listens on, and the addresses that lead to them."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from medassist.core import guard
from medassist.serve.errors import ServeError

LOOPBACK = ("127.0.0.1", "::1")
NAMES = ("127.0.0.1", "localhost", "[::1]")
USUAL_PORTS = {"http": 80, "https": 443}
BACKLOG = 128


@dataclass(frozen=True)
class ServerAddress:
    """Address of the server.

    Attributes:
        sockets: that listen.
        scheme: `http` or `https`.
        hosts: each `Host` of a request that means this server.
        address: for a person, without a token.
    """

    sockets: Sequence[socket.socket]
    scheme: str
    hosts: frozenset[str]
    address: str


@contextmanager
def listening(
    listen: str, port: int, *, tls: bool, names: Sequence[str] = ()
) -> Generator[ServerAddress]:
    """Sockets on loopback, or on the one address that the user named.

    Args:
        listen: that address; empty: loopback.
        port: 0: one that is free.
        tls: whether TLS is spoken on them.
        names: of this server, beside its address, as its certificate has them.

    Raises:
        ServeError: the port is taken, or the address is not this computer's.
    """
    scheme = "https" if tls else "http"
    with ExitStack() as stack:
        if listen:
            stack.enter_context(guard.listening(listen))
            found = [stack.enter_context(_bound(listen, port))]
            known = [_in_url(listen), *map(_in_url, names)]
        else:
            found = [stack.enter_context(_bound(LOOPBACK[0], port))]
            port = found[0].getsockname()[1]
            # Some computers have no IPv6; then nobody can come by it either.
            with suppress(ServeError):
                found.append(stack.enter_context(_bound(LOOPBACK[1], port)))
            known = [*NAMES[: 1 + len(found)], *map(_in_url, names)]
        port = found[0].getsockname()[1]
        hosts = {f"{name}:{port}" for name in known}
        if port == USUAL_PORTS[scheme]:
            hosts |= set(known)
        # The first name of a certificate is what its owner calls the server.
        shown = _in_url(names[0]) if names else known[0]
        address = f"{scheme}://{shown}:{port}/"
        yield ServerAddress(tuple(found), scheme, frozenset(hosts), address)


@contextmanager
def _bound(host: str, port: int) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServeError(f"{host}: {error.strerror}.") from None
    with opened:
        try:
            # On Windows it would let another program take the port away.
            if sys.platform != "win32":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind((host, port))
            opened.listen(BACKLOG)
            opened.setblocking(False)
        except OSError as error:
            raise ServeError(_why_not(host, port, error)) from None
        yield opened


def _why_not(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {port} of {host} is taken by another program. Name another one "
                "with --port; 0 takes one that is free."
            )
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this computer."
        case errno.EACCES:
            return f"Port {port} is not for this user; name one from 1024 on."
        case _:
            return f"{host}, port {port}: {error.strerror or error}."


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
