"""The offline guard: from the first import on, no socket leaves this computer.

`medassist/__init__.py` installs it, so that it is there before any library that
could call home. It is an audit hook of the interpreter, which sees every socket
operation of Python code, cannot be taken off again, and costs nothing to import.
It is a belt against accidents, telemetry and surprises in libraries, not a sandbox
against native code: that runs in the engine's child process, which the operating
system confines.

What the user asks for by name, a download or a publication, opens one host and one
port for as long as it lasts: `opened`. A server that is to be reached from outside
listens on the one address that its operator has named: `listening`.

Sockets of this computer stay allowed (asyncio, multiprocessing and on Windows even
`socketpair` need them): Unix sockets, and addresses that are loopback by their
looks. A host name other than `localhost` is refused before it is resolved, since
asking a name server is itself a message to the outside. (Code that goes around the
`socket` module to `_socket` can still ask; what it then connects to is refused.)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

# Libraries that would call home by themselves are told not to; what they try all
# the same is refused below. A user's own setting stands.
OFFLINE_ENVIRONMENT: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
}

_installed = False
_resolves_after_check = False
_opened: set[tuple[str, int]] = set()
_listening: set[str] = set()


class NetworkRefused(PermissionError):
    """Something tried to reach beyond this computer, and was stopped."""


def install() -> None:
    """Refuse every socket operation that is not local, from now on.

    Calling it again changes nothing.
    """
    global _installed
    if _installed:
        return
    _installed = True
    for name, value in OFFLINE_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    sys.addaudithook(_hook)


def is_local(host: object) -> bool:
    """Whether a host, as it is given to a socket, is this computer itself.

    Only `localhost`, 127.x.x.x and ::1 in their plain spelling are; `""` and
    0.0.0.0 are not, since a server bound to them is open to the network.
    """
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if not isinstance(host, str):
        return False
    if host.lower() in ("localhost", "::1"):
        return True
    parts = host.removeprefix("::ffff:").split(".")
    return (
        len(parts) == 4
        and parts[0] == "127"
        and all(p.isascii() and p.isdigit() and len(p) <= 3 for p in parts)
    )


@contextmanager
def opened(host: str, port: int) -> Generator[None]:
    """Let connections to `host` at `port` through, which the user has just named.

    Its name is looked up once, here; connections to what it then stands for are let
    through as well. Nothing else is: no other port, no datagrams, no listening.

    Raises:
        OSError: the name cannot be looked up.
    """
    import socket

    before = set(_opened)
    try:
        _opened.add((host, port))
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            _opened.add((str(address[0]), port))
        yield
    finally:
        _opened.clear()
        _opened.update(before)


@contextmanager
def listening(host: str) -> Generator[None]:
    """Let this computer be reached at `host`, an address that the user has just named.

    Only listening is let through: what comes in is answered, and nothing goes out.
    """
    before = set(_listening)
    _listening.add(host)
    try:
        yield
    finally:
        _listening.clear()
        _listening.update(before)


def _refuse(doing: str) -> None:
    raise NetworkRefused(
        f"medassist works offline, so {doing} was refused. Nothing was sent."
    )


def _check_address(sock: object, address: object, doing: str) -> None:
    import _socket  # the caller has a socket, so it is loaded

    if getattr(sock, "family", None) == getattr(_socket, "AF_UNIX", -1):
        return
    host, port = _host_and_port(address)
    if not is_local(host):
        _refuse(f"{doing} {host!s:.200} (port {port})")


def _host_and_port(address: object) -> tuple[object, object]:
    if isinstance(address, tuple):
        host, port = (*cast("tuple[object, ...]", address), "?", "?")[:2]
        return host, port
    return address, "?"


def _connect(sock: object, address: object) -> None:
    if _opened and _is_opened(sock, address):
        return
    _check_address(sock, address, "a connection to")


def _is_opened(sock: object, address: object) -> bool:
    return _is_stream(sock) and _host_and_port(address) in _opened


def _is_stream(sock: object) -> bool:
    import _socket

    return getattr(sock, "type", None) == _socket.SOCK_STREAM


def _bind(sock: object, address: object) -> None:
    if _listening and _is_stream(sock) and _host_and_port(address)[0] in _listening:
        return
    _check_address(sock, address, "listening on")


def _send(sock: object, address: object) -> None:
    # Without an address it goes where the socket is connected, which was checked.
    if address is not None:
        _check_address(sock, address, "a message to")


def _resolve(host: object, *_: object) -> None:
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if any(host == name for name, _ in _opened):
        return
    # No host: the addresses to listen on or to connect to here, which asks nobody.
    if host is not None and not is_local(host):
        _refuse(f"looking up {host!s:.200}")


def _resolve_address(address: object) -> None:
    _resolve(_host_and_port(address)[0])


def _create(_: object, family: int, *__: object) -> None:
    import _socket

    _check_before_names_are_resolved()
    # -1: a socket that exists already and is wrapped by its number.
    local = ("AF_UNIX", "AF_INET", "AF_INET6")
    if family not in (-1, *(getattr(_socket, name, -1) for name in local)):
        _refuse(f"a socket of family {int(family)}")


def _check_before_names_are_resolved() -> None:
    """Let `socket.socket` check an address before its C code resolves the name in it.

    The interpreter raises its event only after that, when a name server has been
    asked already. Done at the first socket, so that nobody pays for it who has none.
    """
    global _resolves_after_check
    module = sys.modules.get("socket")
    if _resolves_after_check or module is None:
        return
    _resolves_after_check = True
    import _socket

    native = _socket.socket

    def connect(self: _socket.socket, address: Any) -> None:
        _connect(self, address)
        native.connect(self, address)

    def connect_ex(self: _socket.socket, address: Any) -> int:
        _connect(self, address)
        return native.connect_ex(self, address)

    def bind(self: _socket.socket, address: Any) -> None:
        _bind(self, address)
        native.bind(self, address)

    def sendto(self: _socket.socket, data: Any, *flags_and_address: Any) -> int:
        if flags_and_address:
            _send(self, flags_and_address[-1])
        return native.sendto(self, data, *flags_and_address)

    for method in (connect, connect_ex, bind, sendto):
        setattr(module.socket, method.__name__, method)
    if hasattr(native, "sendmsg"):  # not on Windows

        def sendmsg(self: _socket.socket, buffers: Any, *more: Any) -> int:
            if len(more) > 2:
                _send(self, more[2])
            return native.sendmsg(self, buffers, *more)

        module.socket.sendmsg = sendmsg


_CHECKS: Mapping[str, Callable[..., None]] = {
    "socket.__new__": _create,
    "socket.connect": _connect,
    "socket.bind": _bind,
    "socket.sendto": _send,
    "socket.sendmsg": _send,
    "socket.getaddrinfo": _resolve,
    "socket.gethostbyname": _resolve,
    "socket.gethostbyaddr": _resolve,
    "socket.getnameinfo": _resolve_address,
}


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    check = _CHECKS.get(event)
    if check is not None:
        check(*arguments)
