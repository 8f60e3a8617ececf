"""Limits on what one client may ask of the server. Everything has a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_MESSAGES: Final = 1000
"""Most messages of one conversation; more fits into no context."""
MOST_HEADER_BYTES: Final = 16 * 1024
IDLE_MINUTES: Final = 10
"""Without a touch, after which a page is locked and a key of records forgotten."""


@dataclass(frozen=True)
class Limits:
    """Sizes, counts and times.

    Attributes:
        body_bytes: of a request's body.
        body_s: seconds in which a body has to have come.
        headers_s: seconds in which the headers of a request have to have come.
        idle_s: seconds that a connection is kept between two requests.
        connections: that are open at once.
        waiting_each: questions of one user that wait beside the one that is answered.
        waiting: questions of all users that wait.
        answer_s: seconds after which an answer is cut off.
        leaving_s: seconds that running answers still have when the server is ended.
    """

    body_bytes: int = 1024 * 1024
    body_s: float = 10.0
    headers_s: float = 10.0
    idle_s: int = 30
    connections: int = 256
    waiting_each: int = 2
    waiting: int = 32
    answer_s: float = 900.0
    leaving_s: int = 5
