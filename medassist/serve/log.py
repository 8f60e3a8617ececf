"""Log for the server's operator: never a question, an answer or a token.

Libraries log what they meet, requests and errors with their text among it. They are
silenced here, and what goes wrong is told by its kind and place alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from medassist.core.terminal import say
from medassist.serve.errors import place_of

SILENCED: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
OTHERS: Final = ("asyncio", "fastapi")


def tell(sentence: str) -> None:
    """Print a line for the operator."""
    say(f"medassist serve: {sentence}", err=True)


def silence_libraries() -> None:
    """Have no library print what it met."""
    for name in (*SILENCED, *OTHERS):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False


def watch_loop(told: Callable[[str], None] = tell) -> None:
    """Have errors that nobody waits for told without their text, in this loop."""

    def met(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # A client that breaks off its TLS is none of the operator's matters.
        if isinstance(error, BaseException) and not isinstance(error, OSError):
            told(f"{type(error).__name__} in {place_of(error)}")

    asyncio.get_running_loop().set_exception_handler(met)
