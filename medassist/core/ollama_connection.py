"""A connection to a running Ollama, by our one way out."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from medassist.core.network import connected
from medassist.core.ollama_host import Host

SILENCE_S = 600.0
"""A model is loaded, or a file taken in, without a word for as long as this."""


class OllamaConnection:
    """An HTTP client of the Ollama at `host`; a context manager."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._open = ExitStack()
        # An Ollama has no TLS of its own; the user named this one.
        way = connected([host.name], silence_s=SILENCE_S, in_clear=True)
        self._http = self._open.enter_context(way)
        self._http.base_url = host.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
