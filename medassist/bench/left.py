"""Estimates the time left of a measurement."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_STEPS = 3
LEAST_S = 5.0


class Left:
    """Estimates the time left, from the time taken so far.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._first: int | None = None
        self._estimated = 0.0

    def begin(self, seconds: float | None) -> None:
        """Set the planned duration."""
        self._begun = self._clock()
        self._estimated = seconds or 0.0

    def seconds(self, done: int, of: int) -> float:
        """Approximate seconds left; 0 if unknown.

        Args:
            done: measurements that are over.
            of: all of them.
        """
        if self._first is None:
            self._first = done
        own, passed = done - self._first, self._clock() - self._begun
        if own < LEAST_STEPS or passed < LEAST_S:
            return max(0.0, self._estimated - passed)
        return max(passed / own * (of - done), self._estimated - passed)
