"""The two panes, and everything about reading in them.

What stands in them is in `answers.py`; what is asked, and of whom, in `screen.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.reactive import var

from medassist.core.values import PANES, PaneName
from medassist.tui.consult.pane import Pane, Scrolled, Turns
from medassist.tui.face import face
from medassist.tui.wording import consult as wording


class Panes(Container):
    """Two panes beside each other, or one above the other where it is narrow."""

    scrolls_together: var[bool] = var(True)
    """Both panes show the same place of the same turn while one of them is scrolled."""

    def __init__(self) -> None:
        super().__init__(id="panes")
        self.all: list[Pane] = [Pane(name) for name in PANES]
        """Both panes, the first on the left or above."""
        self._only: PaneName | None = None

    def compose(self) -> ComposeResult:
        yield from self.all

    def __getitem__(self, name: PaneName) -> Pane:
        return next(pane for pane in self.all if pane.pane == name)

    @property
    def seen(self) -> list[Pane]:
        """The panes that the pair has."""
        return [pane for pane in self.all if not pane.has_class("-absent")]

    @property
    def focused(self) -> PaneName | None:
        """The pane that has the focus; `None` while it is elsewhere."""
        focused = self.screen.focused
        for node in focused.ancestors_with_self if focused else ():
            if isinstance(node, Pane):
                return node.pane
        return None

    def have(self, names: Iterable[PaneName]) -> None:
        """Show the panes of `names` alone."""
        wanted = set(names)
        for pane in self.all:
            pane.set_class(pane.pane not in wanted, "-absent")
        self._show_only(None)

    def order(self, order: Sequence[PaneName]) -> None:
        """Arrange the panes in `order`, the first on the left or above."""
        if [pane.pane for pane in self.all] == list(order):
            return
        first, second = self.all = [self[name] for name in order]
        if first.parent is not None:
            self.move_child(first, before=second)
            # Textual does not look again at who is the last child.
            self.app.update_styles(self)  # pyright: ignore[reportUnknownMemberType]

    # Reading

    def maximise(self) -> None:
        """Give one pane the whole width; again: the other one, then both."""
        names: list[PaneName] = [pane.pane for pane in self.seen]
        if len(names) < 2:
            face(self).say(wording.ONE_PANE)
            return
        focused = self.focused
        if focused:
            self._show_only(None if self._only else focused)
            return
        order: list[PaneName | None] = [None, *names]
        self._show_only(order[(order.index(self._only) + 1) % len(order)])

    def _show_only(self, name: PaneName | None) -> None:
        self._only = name
        for pane in self.all:
            pane.set_class(name is not None and pane.pane != name, "-aside")

    def page(self, down: bool) -> None:
        """Scroll every pane by a page."""
        for pane in self.seen:
            if down:
                pane.turns.scroll_page_down(animate=False)
            else:
                pane.turns.scroll_page_up(animate=False)

    def watch_scrolls_together(self, together: bool) -> None:
        if together:
            leader = self[self.focused] if self.focused else self.all[0]
            self._follow(leader.turns)

    @on(Scrolled)
    def _on_scrolled(self, event: Scrolled) -> None:
        event.stop()
        # Only what the user moves leads; a growing answer in the other pane does not.
        turns = event.turns
        if self.scrolls_together and (turns.has_focus or turns.is_mouse_over):
            self.call_after_refresh(self._follow, turns)  # it may still be moving

    def _follow(self, leader: Turns) -> None:
        place = leader.place()
        if place is None:
            return
        for pane in self.all:
            if pane.turns is not leader and not pane.turns.is_mouse_over:
                pane.turns.go_to(*place)
