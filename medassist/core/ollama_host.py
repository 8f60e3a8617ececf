"""Address of an Ollama server, from an option, OLLAMA_HOST or the default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from medassist.core import guard
from medassist.core.errors import NetworkError
from medassist.core.way_out import PORTS

VARIABLE = "OLLAMA_HOST"
HERE = "127.0.0.1"
PORT = 11434
# What a server listens on when it listens everywhere is no address to connect to.
EVERYWHERE = {"": HERE, "0.0.0.0": HERE, "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Host:
    """A server's address."""

    scheme: str
    name: str
    port: int

    @property
    def url(self) -> str:
        """Such as `http://127.0.0.1:11434`."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{name}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it is this computer."""
        return guard.is_local(self.name)


def read_host(text: str | None) -> Host:
    """The host that the user named, or that `OLLAMA_HOST` names, or this computer.

    Raises:
        NetworkError: it is no address.
    """
    told = (text or os.environ.get(VARIABLE) or HERE).strip()
    scheme, divided, _ = told.partition("://")
    if not divided:
        scheme = "http"
    try:
        parts = urlsplit(told if divided else f"http://{told}")
        port = parts.port or (PORTS[scheme] if divided else PORT)
        name = (parts.hostname or "").strip("[]")
    except (ValueError, KeyError) as error:
        raise _no_address(told) from error
    if parts.path.strip("/") or parts.query or parts.username or scheme not in PORTS:
        raise _no_address(told)
    return Host(scheme, EVERYWHERE.get(name, name), port)


def _no_address(told: str) -> NetworkError:
    return NetworkError(
        f"{told!r} is no address of an Ollama; expected HOST, HOST:PORT or a URL such "
        "as http://127.0.0.1:11434"
    )
