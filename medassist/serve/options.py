"""Options of a server, by the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from medassist.core.values import Mode
from medassist.serve.limits import Limits
from medassist.serve.upstream.options import UpstreamOptions
from medassist.session.choice import Choice

PORT = 8765


@dataclass(frozen=True)
class ServeOptions:
    """Settings of the server.

    Attributes:
        choice: the pair that answers.
        port: 0: any that is free.
        listen: an address of this computer that others reach; empty: loopback alone.
        tls_cert: certificate chain, PEM; with `listen`.
        tls_key: its key, PEM.
        users: the file of the users; `None`: the usual one.
        audit: the file of the audit log; `None`: there is none.
        records: users may have their consultations kept.
        mode: how two panes share the processor.
        upstream: an engine that answers in place of the pair; `None`: the pair does.
        ollama_api: a part of Ollama's API is spoken too.
        limits: what a client may ask for at most.
    """

    choice: Choice = Choice()
    port: int = PORT
    listen: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    users: Path | None = None
    audit: Path | None = None
    records: bool = False
    mode: Mode = "together"
    upstream: UpstreamOptions | None = None
    ollama_api: bool = False
    limits: Limits = field(default_factory=Limits)
