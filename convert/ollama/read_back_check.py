"""One comparison of what a server has stored with what it was sent."""

from __future__ import annotations

from pydantic import BaseModel

SHOWN = 200  # characters of a value that differs


class ReadBackCheck(BaseModel):
    """One comparison of stored with sent."""

    what: str
    equal: bool | None
    """`None`: it could not be compared."""
    said: str


def short(value: object) -> str:
    """`value` for a message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
