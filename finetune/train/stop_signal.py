"""Stops a training on Ctrl-C and SIGTERM, between parts of a step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def asked_to_stop() -> Generator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question, asked after each part of a step.

    A second Ctrl-C ends it at once; the last checkpoint is whole.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread: the caller owns the signals
        pass
    try:
        yield lambda: asked
    finally:
        for number, old in before.items():
            signal.signal(number, old)
