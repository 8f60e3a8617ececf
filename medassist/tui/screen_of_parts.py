"""Screens that consist of parts, each with actions of its own."""

from __future__ import annotations

from inspect import isawaitable

from textual.screen import Screen, ScreenResultType


class ScreenOfParts(Screen[ScreenResultType]):
    """A screen whose key table names actions as `part.method`."""

    def action_do(self, part: str, work: str) -> None:
        """Call the method `work` of `part`; in the background if it is async."""
        done = getattr(getattr(self, part), work)()
        if isawaitable(done):
            self.run_worker(done, group=part)
