"""The line at the top: what holds for both panes."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from medassist.core.values import Mode
from medassist.tui.consult import wording


class GlobalLine(Widget):
    """Offline, saved or not, mode, threads, memory; what is `None` is not known yet.

    It draws itself anew whenever one of these is another than before.
    """

    DEFAULT_CSS = """
    GlobalLine { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    saved: reactive[str] = reactive("not saved")
    blind: reactive[bool] = reactive(False)
    branch: reactive[tuple[int, int]] = reactive((1, 1))
    """Which of how many branches, from 1."""
    editing: reactive[bool] = reactive(False)
    mode: reactive[Mode] = reactive[Mode]("together")
    scrolls_together: reactive[bool] = reactive(False)
    threads: reactive[int | None] = reactive[int | None](None)
    memory: reactive[int | None] = reactive[int | None](None)

    @property
    def text(self) -> str:
        """What the line says."""
        return self.render().plain

    def render(self) -> Content:
        which, count = self.branch
        said = [
            self.saved,
            "BLIND" if self.blind else "",
            f"branch {which} of {count}" if count > 1 else "",
            "editing, Esc leaves it" if self.editing else "",
            "in turn" if self.mode == "in-turn" else self.mode,
            "scrolling together" if self.scrolls_together else "",
        ]
        if self.threads:
            said.append(f"{self.threads} thread{'s' if self.threads > 1 else ''}")
        if self.memory:
            said.append(wording.memory(self.memory))
        rest = wording.SEPARATOR.join(["", *filter(None, said)])
        return Content.assemble((" OFFLINE", "bold $success"), (rest, "$quiet"))
