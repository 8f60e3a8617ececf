"""Errors: those the server ends with, and those that a client is answered with."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from medassist.core.errors import MedassistError


class ServeError(MedassistError):
    """The server cannot be run as asked for; the message says what to change."""

    exit_code = 2


OLLAMA: Final = "/api/"
"""Prefix of the addresses of Ollama's API, whose errors have its form."""
KINDS: Final = {401: "authentication_error", 429: "rate_limit_error"}


@dataclass(eq=False)
class Refusal(Exception):
    """A request is answered with an error, in the form of OpenAI's API.

    Attributes:
        status: of HTTP.
        code: a word that programs can act on.
        message: a sentence; it repeats nothing that the client has sent.
        param: the part of the request that it is about.
        retry_after_s: seconds after which it may be tried again.
        more: fields beside these.
    """

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def body(self) -> dict[str, Any]:
        """The object that is sent."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.message,
                "type": KINDS.get(self.status, kind),
                "param": self.param,
                "code": self.code,
                **self.more,
            }
        }

    @property
    def of_ollama(self) -> dict[str, Any]:
        """The object that is sent, in the form of Ollama's API."""
        return {"error": self.message, "code": self.code, **self.more}

    def body_at(self, path: str) -> dict[str, Any]:
        """The object that is sent to who asked at `path`."""
        return self.of_ollama if path.startswith(OLLAMA) else self.body

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        found: dict[str, str] = {}
        if self.retry_after_s is not None:
            found["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status == 401:
            found["WWW-Authenticate"] = "Bearer"
        return found


def broken() -> Refusal:
    """Something of the server is at fault."""
    sentence = "The server failed at this; its operator has been told where."
    return Refusal(500, "internal_error", sentence)


def place_of(error: BaseException) -> str:
    """The file and line in which an error came up.

    What it says is left out: that may quote what a client has sent.
    """
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", inner).exceptions[0]
    frames = traceback.extract_tb(inner.__traceback__)
    ours = [f for f in frames if "medassist" in f.filename] or list(frames)
    if not ours:
        return "no file"
    name = ours[-1].filename.replace("\\", "/").rsplit("/medassist/", 1)[-1]
    return f"{name}, line {ours[-1].lineno}"
