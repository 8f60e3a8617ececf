"""The line at the top: what holds for both panes."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from medassist.core.values import Mode, Thinking
from medassist.core.words import size
from medassist.tui.face import face
from medassist.tui.wording import consult as wording
from medassist.tui.wording.pane import SEPARATOR


class GlobalLine(Widget):
    """Offline, saved or not, mode, threads, memory; `None`: not known yet.

    It draws itself anew whenever one of these is another than before.
    """

    DEFAULT_CSS = """
    GlobalLine { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    saved: reactive[str] = reactive("not saved")
    blind: reactive[bool] = reactive(False)
    branch: reactive[tuple[int, int]] = reactive((1, 1))
    """Number of the branch, from 1, and of all branches."""
    editing: reactive[bool] = reactive(False)
    mode: reactive[Mode] = reactive[Mode]("together")
    thinking: reactive[Thinking | None] = reactive[Thinking | None](None)
    """Choice for this pair; `None`: nothing was chosen."""
    scrolls_together: reactive[bool] = reactive(True)
    threads: reactive[int | None] = reactive[int | None](None)
    memory: reactive[int | None] = reactive[int | None](None)

    @property
    def text(self) -> str:
        """Text of the line."""
        return self.render().plain

    def render(self) -> Content:
        which, count = self.branch
        said = [
            self.saved,
            wording.BLIND_SHORT if self.blind else "",
            wording.branch(which, count),
            face(self).keymap.name(wording.EDITING) if self.editing else "",
            wording.ASKED[self.mode],
            wording.THINKING_SHORT[self.thinking] if self.thinking else "",
            "" if self.scrolls_together else wording.SCROLLS_APART,
        ]
        if self.threads:
            said.append(wording.threads(self.threads))
        if self.memory:
            said.append(size(self.memory))
        rest = SEPARATOR.join(["", *filter(None, said)])
        return Content.assemble(
            (f" {wording.OFFLINE}", "bold $success"), (rest, "$quiet")
        )
