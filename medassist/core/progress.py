"""Progress callback for long-running work."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Callback that is told how far long-running work is."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` is at `done` of `total` (bytes, tensors, prompts; 0 to the end)."""
        ...


def unwatched(what: str, done: int, total: int) -> None:
    """A watcher that shows nothing."""
