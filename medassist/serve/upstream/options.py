"""Options for the engine behind the server, and for what may be sent to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from medassist.core import guard
from medassist.core.files import read_bytes
from medassist.core.way_out import PORTS
from medassist.serve.errors import ServeError

Kind = Literal["vllm", "llama-server", "openai"]
Identifiers = Literal["ask", "replace", "keep"]
"""What is done where a question may tell who somebody is and would leave this computer:
it is sent back with the places marked, sent with them replaced, or sent as it is."""
MOST_KEY_BYTES = 4096


@dataclass(frozen=True)
class UpstreamOptions:
    """The engine, as the command line names it.

    Attributes:
        url: of it, with or without /v1.
        kind: what it is; `None`: it is asked.
        base: the name that it has for the base model; empty: it is asked.
        tuned: the name that it has for the tuned model, llama-server for its adapter.
        key_file: holds its key, and nothing else.
        identifiers: what is done where a question may tell who somebody is.
        at_once: how many questions it is asked at one time; `None`: as its kind can.
    """

    url: str
    kind: Kind | None = None
    base: str = ""
    tuned: str = ""
    key_file: Path | None = None
    identifiers: Identifiers = "ask"
    at_once: int | None = None


@dataclass(frozen=True)
class EngineAddress:
    """Address of an engine.

    Attributes:
        url: with which the address of each of its routes begins; no slash at its end.
        name: of the host.
        port: of it.
    """

    url: str
    name: str
    port: int

    @property
    def host(self) -> str:
        """The host as it is told: with its port."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is this computer."""
        return guard.is_local(self.name)


def place_of(url: str) -> EngineAddress:
    """Reads the address in `url`.

    Raises:
        ServeError: it is no address of an engine, or would be asked in clear elsewhere.
    """
    try:
        parts = urlsplit(url.strip())
        name, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        name, port, parts = "", 0, urlsplit("")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ServeError(
            "The address of an engine is HOST, a port and a path, and nothing else. "
            "Its key is read from --upstream-key-file."
        )
    if parts.scheme not in PORTS or not name or not port:
        raise ServeError(
            f"{url!r} is no address of an engine; expected one such as "
            "http://127.0.0.1:8000 or https://gpu.example:8000."
        )
    place = EngineAddress(
        url.strip().rstrip("/").removesuffix("/v1").rstrip("/"), name, port
    )
    if parts.scheme != "https" and not place.is_here:
        raise ServeError(
            f"{place.host} would be asked without TLS, so that questions and answers "
            "could be read and changed on the way. Name it with https://."
        )
    return place


def key_in(file: Path | None) -> str:
    """The key in `file`; empty: there is none.

    Raises:
        ServeError: it cannot be read, is open to everybody, or is no key.
    """
    if file is None:
        return ""
    try:
        status = file.stat()
        content = read_bytes(file) if status.st_size <= MOST_KEY_BYTES else b""
    except OSError as error:
        raise ServeError(f"{file}: it cannot be read ({error.strerror}).") from None
    if status.st_mode & 0o007:
        raise ServeError(
            f"{file}: every user of this computer may read the key in it. `chmod 600 "
            f"{file}` takes that away."
        )
    key = content.decode("ascii", "replace").strip()
    if not key or not key.isprintable() or " " in key or not key.isascii():
        raise ServeError(f"{file}: expected a key on one line, and nothing else.")
    return key
