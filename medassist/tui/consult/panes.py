"""The two panes and the composer on one screen: layout, and everything about reading.

What is asked, and of whom, is in `consult.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Footer

from medassist.core.values import PANES, PaneName
from medassist.tui.consult.composer import Composer
from medassist.tui.consult.flag_panel import FlagPanel
from medassist.tui.consult.global_line import GlobalLine
from medassist.tui.consult.pane import Pane, Turns
from medassist.tui.consult.trouble import Trouble
from medassist.tui.line import Line

LEAST_WIDTH = 40
LEAST_HEIGHT = 12
STACKED_BELOW = 100
TOO_SMALL = (
    f"Please make the window larger: at least {LEAST_WIDTH} by {LEAST_HEIGHT}. "
    "Nothing is lost."
)


class PanesScreen(Screen[None]):
    """Two panes beside each other, or one above the other where it is narrow."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 (as Textual declares it)
        (0, "-narrow"),
        (LEAST_WIDTH, "-stacked"),
        (STACKED_BELOW, "-beside"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-low"),
        (LEAST_HEIGHT, "-short"),
        (30, "-tall"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.top = GlobalLine()
        self.notice = Line(classes="notice")
        self.flag_panel = FlagPanel()
        self.panes: dict[PaneName, Pane] = {pane: Pane(pane) for pane in PANES}
        self.trouble = Trouble()
        self.composer = Composer()
        self.scrolls_together = False
        self.too_small = Line(TOO_SMALL, id="too-small")
        self._only: PaneName | None = None

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.notice
        yield self.flag_panel
        with Container(id="panes"):
            yield from self.panes.values()
        yield self.trouble
        yield self.composer
        yield Footer(show_command_palette=False, compact=True)
        yield self.too_small

    def on_mount(self) -> None:
        self.notice.display = False
        self.composer.focus()

    def on_resize(self) -> None:
        # Of a lower window of the same width the panel itself hears nothing.
        self.flag_panel.fit()

    def say(self, sentence: str, warning: bool = False) -> None:
        """Tell the user something that needs no answer."""
        self.notify(
            sentence, severity="warning" if warning else "information", markup=False
        )

    # Reading

    @property
    def focused_pane(self) -> PaneName | None:
        """The pane that has the focus; `None` while it is in the composer."""
        if self.focused is None:
            return None
        for node in self.focused.ancestors_with_self:
            if isinstance(node, Pane):
                return node.pane
        return None

    @property
    def seen_panes(self) -> list[Pane]:
        """The panes that this pair has."""
        return [pane for pane in self.panes.values() if not pane.has_class("-absent")]

    def have_panes(self, names: Iterable[PaneName]) -> None:
        """Show the panes of `names` alone."""
        wanted = set(names)
        for name, pane in self.panes.items():
            pane.set_class(name not in wanted, "-absent")
        whom = "both models" if len(wanted) > 1 else "the model"
        self.composer.placeholder = f"Write a question for {whom}"
        self._show_only(None)

    def order_panes(self, order: Sequence[PaneName]) -> None:
        """Have the panes stand in `order`, the first on the left or above."""
        if tuple(self.panes) == tuple(order):
            return
        self.panes = {name: self.panes[name] for name in order}
        first, second = self.panes.values()
        if first.parent is not None:
            both = self.query_one("#panes")
            both.move_child(first, before=second)
            # Textual does not look again at who is the last child.
            self.app.update_styles(both)  # pyright: ignore[reportUnknownMemberType]

    def action_maximise(self) -> None:
        names: list[PaneName] = [pane.pane for pane in self.seen_panes]
        if len(names) < 2:
            self.say("There is one pane only.")
            return
        focused = self.focused_pane
        if focused:
            self._show_only(None if self._only else focused)
            return
        order: list[PaneName | None] = [None, *names]
        self._show_only(order[(order.index(self._only) + 1) % len(order)])

    def _show_only(self, name: PaneName | None) -> None:
        self._only = name
        for pane in self.panes.values():
            pane.set_class(name is not None and pane.pane != name, "-aside")

    def action_scroll_together(self) -> None:
        self.scrolls_together = not self.scrolls_together
        self.draw_top()
        source = self.panes[self.focused_pane or next(iter(self.panes))]
        if self.scrolls_together:
            self._follow(source.turns)

    def draw_top(self) -> None:
        """Bring the line at the top up to date."""

    @on(Turns.Scrolled)
    def _on_scrolled(self, event: Turns.Scrolled) -> None:
        event.stop()
        # Only what the user moves leads; a growing answer in the other pane does not.
        turns = event.turns
        if self.scrolls_together and (turns.has_focus or turns.is_mouse_over):
            self.call_after_refresh(self._follow, turns)  # it may still be moving

    def _follow(self, leader: Turns) -> None:
        place = leader.place()
        if place is None:
            return
        for pane in self.panes.values():
            if pane.turns is not leader and not pane.turns.is_mouse_over:
                pane.turns.go_to(*place)

    @on(Composer.Paged)
    def _on_paged(self, event: Composer.Paged) -> None:
        for pane in self.seen_panes:
            if event.down:
                pane.turns.scroll_page_down(animate=False)
            else:
                pane.turns.scroll_page_up(animate=False)

    def action_next_pane(self) -> None:
        self.focus_next()
