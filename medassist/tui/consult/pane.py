"""One pane: which model, how far it is, and what it answered."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import var
from textual.widgets import Button

from medassist.consult.answer import Source
from medassist.consult.blind import Veil
from medassist.consult.sides import Letter, Sides
from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.tui.consult.messages import Scrolled
from medassist.tui.consult.turn_view import TurnView
from medassist.tui.line import Line
from medassist.tui.wording import consult as wording

MOUNTED = 10
"""Turns that are laid out at a time: sixty of them would take seconds."""
MORE = 5
"""Further turns each time that the user asks for earlier ones."""


COLOURS: dict[Letter, str] = {"A": "$pane-base", "B": "$pane-tuned"}
"""Of the sides, whoever stands there: a colour must not tell who it is."""


class PaneHeader(Line):
    """Letter, role, model, quantization; where it is narrow the name gives way.

    While names are hidden only the letter stands there. `≠` and a word say in what
    the two answers contradict each other.
    """

    def __init__(self, pane: PaneName) -> None:
        super().__init__(classes="header")
        self._pane: PaneName = pane
        self._source = Source("")
        self._sides = Sides()
        self._apart: tuple[str, ...] = ()
        self._key = ""

    def name_model(self, source: Source, sides: Sides) -> None:
        """Say which model is behind the pane, if that is to be seen."""
        if (source, sides) != (self._source, self._sides):
            self._source, self._sides = source, sides
            self._fit()

    def mark(self, apart: tuple[str, ...], key: str) -> None:
        """Say in what the answers contradict each other; nothing: in nothing known.

        Args:
            apart: Doses, numbers, negations.
            key: It shows where.
        """
        if apart != self._apart:
            self._apart, self._key = apart, key
            self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        source, sides = self._source, self._sides
        if sides.hidden:
            source = Source("")
        side = sides.letter(self._pane)
        letter = f" {side} "
        role = f" {wording.NAME_HIDDEN if sides.hidden else wording.ROLES[self._pane]} "
        adapter = f" + {wording.ADAPTER}" if source.adapter else ""
        quantization = f"  {source.quantization}" if source.quantization else ""
        apart = wording.apart(self._apart, self._key)
        apart = apart and f"  {apart}"
        others = f"{letter}{role} {adapter}{quantization}"
        width = self.size.width
        if width and width < cell_len(f"{others}{apart}"):
            quantization, others = "", f"{letter}{role} {adapter}"
        room = width - cell_len(f"{others}{apart}")
        name = wording.shortened(source.name, room) if width else source.name
        self.say(
            Content.assemble(
                (letter, f"bold $background on {COLOURS[side]}"),
                (role, COLOURS[side]),
                (f" {name}" if name else "", "bold"),
                adapter,
                (quantization, "$quiet"),
                (apart, "bold $warning"),
            )
        )


class Turns(VerticalScroll):
    """The turns of a pane; it follows the end unless the user has scrolled up.

    They stand on a page at least as high as the window: Textual moves an anchored
    window over less than that to the bottom.
    """

    def __init__(self, pane: PaneName) -> None:
        super().__init__()
        self._pane: PaneName = pane
        self.page = Vertical(classes="page")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(Scrolled(self._pane))

    def action_scroll_end(self) -> None:
        super().action_scroll_end()
        # An anchored window is moved without a word to its watchers.
        self.call_after_refresh(self.post_message, Scrolled(self._pane))

    def compose(self) -> ComposeResult:
        yield self.page

    @property
    def views(self) -> list[TurnView]:
        return [view for view in self.page.children if isinstance(view, TurnView)]

    def place(self) -> tuple[Turn, float] | None:
        """The turn at the top edge, and how much of it is above that edge (0 to 1)."""
        top = self.scroll_y
        for view in self.views:
            region = view.virtual_region
            if region.bottom > top:
                return view.turn, max(0.0, top - region.y) / max(1, region.height)
        return None

    def go_to(self, turn: Turn, fraction: float) -> None:
        """Bring that part of `turn` to the top edge."""
        for view in self.views:
            if view.turn is turn:
                region = view.virtual_region
                y = region.y + round(fraction * region.height)
                self.scroll_to(y=y, animate=False)


class Pane(Vertical):
    """The pane of one model."""

    status: var[str] = var("", init=False)
    """How far it is."""
    empty: var[str] = var("", init=False)
    """What stands there while there is no turn yet."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__(id=pane)
        self.pane: PaneName = pane
        self.turns = Turns(pane)
        self.header = PaneHeader(pane)
        self._status = Line(classes="status")
        self._empty = Line(classes="empty")
        self._earlier = Button("", classes="earlier", compact=True)
        self._hidden = 0  # turns before the first one that is mounted
        self._all: Sequence[Turn] = ()
        self.thoughts = False
        """What the model thought is unfolded."""
        self.veil: Veil | None = None
        """Over the names of the models, while they are hidden."""

    def compose(self) -> ComposeResult:
        yield self.header
        yield self._status
        yield self.turns

    async def on_mount(self) -> None:
        await self.turns.page.mount(self._earlier, self._empty)
        self._earlier.display = False

    def watch_status(self, status: str) -> None:
        self._status.say(status)

    def watch_empty(self, empty: str) -> None:
        self._empty.say(empty)

    async def show(self, turns: Sequence[Turn]) -> None:
        """Show `turns`, the newest of them mounted, and follow a new one."""
        self._all = list(turns)
        kept = [view for view in self.turns.views if view.turn in turns]
        for view in self.turns.views:
            if view not in kept:
                await view.remove()
        if not kept:
            self._hidden = max(0, len(turns) - MOUNTED)
        mounted = [view.turn for view in kept]
        new = [
            TurnView(turn, self.pane)
            for turn in turns[self._hidden :]
            if turn not in mounted
        ]
        if new:
            await self.turns.page.mount(*new)
            await self._unmount_oldest()
            self.turns.anchor()
        self._show_edges()
        await self.draw()

    async def draw(self, last: bool = False) -> None:
        """Draw every turn that is mounted, or only the last, which grows."""
        views = self.turns.views
        for view in views[-1:] if last else views:
            if view.turn in self._all:  # else it is being taken away
                at = self._all.index(view.turn)
                await view.draw(self._all[:at], self.veil, self.thoughts)

    @on(Button.Pressed, ".earlier")
    async def _show_earlier(self, event: Button.Pressed) -> None:
        event.stop()
        first = max(0, self._hidden - MORE)
        earlier = [TurnView(t, self.pane) for t in self._all[first : self._hidden]]
        self._hidden = first
        top = self.turns.views[0]
        await self.turns.page.mount(*earlier, before=top)
        await self.draw()
        self._show_edges()
        self.turns.release_anchor()
        self.turns.focus()
        self.call_after_refresh(
            self.turns.scroll_to_widget, top, animate=False, top=True
        )

    async def _unmount_oldest(self) -> None:
        views = self.turns.views
        surplus = len(views) - MOUNTED
        for view in views[: max(0, surplus)]:
            await view.remove()
            self._hidden += 1

    def _show_edges(self) -> None:
        self._empty.display = not self._all
        self._earlier.display = self._hidden > 0
        if self._hidden:
            self._earlier.label = Content(wording.show_earlier(self._hidden))
            self._earlier.refresh(layout=True)  # a new label alone keeps the width
