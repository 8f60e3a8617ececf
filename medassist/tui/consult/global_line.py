"""The line at the top: what holds for both panes."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from medassist.tui.consult import wording
from medassist.tui.line import Line


class GlobalLine(Line):
    """Offline, saved or not, mode, threads, memory."""

    def show(
        self,
        mode: str,
        threads: int | None,
        memory: int | None,
        scroll_together: bool,
        saved: str = "not saved",
        more: Sequence[str] = (),
    ) -> None:
        """Say how things stand; `None` is not known yet."""
        said = [saved, *more, "in turn" if mode == "in-turn" else mode]
        if scroll_together:
            said.append("scrolling together")
        if threads:
            said.append(f"{threads} thread{'s' if threads > 1 else ''}")
        if memory:
            said.append(wording.memory(memory))
        rest = wording.SEPARATOR.join(["", *said])
        self.say(Content.assemble((" OFFLINE", "bold $success"), (rest, "$quiet")))
