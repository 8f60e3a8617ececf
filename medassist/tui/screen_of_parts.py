"""Screens made of parts, with each key's action sent to the part that handles it."""

from __future__ import annotations

from inspect import isawaitable

from textual.screen import Screen, ScreenResultType


class ScreenOfParts(Screen[ScreenResultType]):
    """A screen whose commands are named `part.method` in the table of keys."""

    def action_do(self, part: str, work: str) -> None:
        """Have `part` do its `work`; in the background, where that takes time."""
        done = getattr(getattr(self, part), work)()
        if isawaitable(done):
            self.run_worker(done, group=part)
