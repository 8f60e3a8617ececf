"""One pane: which model, how far it is, and what it answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.widgets import Button

from medassist.consult.answer import Source
from medassist.consult.blind import Veil
from medassist.consult.sides import Letter, Sides
from medassist.consult.turn import Turn
from medassist.core.clean import clean_line
from medassist.core.values import PaneName
from medassist.tui.consult.review_lines import Reviewed
from medassist.tui.consult.turn_view import TurnView
from medassist.tui.line import Line
from medassist.tui.wording import pane as wording

MOUNTED = 10
"""Turns that are laid out at a time: sixty of them would take seconds."""
MORE = 5
"""Further turns each time that the user asks for earlier ones."""
LEAST_NAME = 8
"""Cells of a model's name that are seen before anything else of the head is."""
COLOURS: dict[Letter, str] = {"A": "$pane-base", "B": "$pane-tuned"}
"""Colours of the sides, whoever stands there: a colour must not tell who it is."""


class PaneHeader(Line):
    """Header of a pane: letter, role and model; a long name is shortened.

    While names are hidden only the letter stands there. Behind it stand the signs of
    the last answer: how much of it is to be checked, and that it cites nothing.
    """

    def __init__(self, pane: PaneName) -> None:
        super().__init__(classes="header")
        self._pane: PaneName = pane
        self._source = Source("")
        self._sides = Sides()
        self._quantization = False
        self._signs: tuple[str, str] = ("", "")

    def name_model(self, source: Source, sides: Sides, quantization: bool) -> None:
        """Say which model is behind the pane, if that is to be seen.

        Args:
            source: The model.
            sides: Which side it stands on, and whether names are hidden.
            quantization: That is said too.
        """
        known = (self._source, self._sides, self._quantization)
        if (source, sides, quantization) != known:
            self._source, self._sides, self._quantization = source, sides, quantization
            self._fit()

    def mark_review(self, warnings: int, cites: bool) -> None:
        """Say what was found in the last answer, which may lie below the window.

        Args:
            warnings: How many warnings stand below it.
            cites: It names a source, or that is not known.
        """
        checks = f"  {wording.to_check(warnings)}" if warnings else ""
        signs = checks, "" if cites else f"  {wording.NO_SOURCE}"
        if signs != self._signs:
            self._signs = signs
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
        quantization = f"  {source.quantization}" if self._quantization else ""
        checks, unsourced = self._signs
        width, room = self.size.width, 0
        # What is left out first where it is narrow: the signs stay, and some of a name.
        fewer = ((adapter, quantization), ("", quantization), ("", ""))
        for adapter, quantization in fewer:
            others = f"{letter}{role} {adapter}{quantization}{checks}{unsourced}"
            room = width - cell_len(others)
            if room >= min(LEAST_NAME, cell_len(source.name)):
                break
        name = wording.shortened(source.name, room) if width else source.name
        self.say(
            Content.assemble(
                (letter, f"bold $background on {COLOURS[side]}"),
                (role, COLOURS[side]),
                (f" {name}" if name else "", "bold"),
                adapter,
                (quantization, "$quiet"),
                (checks, "bold $warning"),
                (unsourced, "italic $quiet"),
            )
        )


@dataclass
class Scrolled(Message):
    """The user, or a growing answer, has moved what is to be seen of a pane."""

    turns: Turns


class Page(Vertical):
    """The turns that are laid out; `grown` is called when their height changes.

    What is found in an answer comes below it later, and a thought unfolds.
    """

    def __init__(self, grown: Callable[[], None]) -> None:
        super().__init__(classes="page")
        self._grown = grown

    def on_resize(self) -> None:
        self._grown()


class Turns(VerticalScroll):
    """The turns of a pane.

    It follows a growing answer as long as its question, or the end of a long one, stays
    to be seen: a patient's story would else hide what is said of it. Whoever goes
    to the end has it follow the end. Whoever scrolls is left where they are.

    The turns stand on a page at least as high as the window: Textual moves an anchored
    window over less than that to the bottom.
    """

    def __init__(self) -> None:
        super().__init__()
        self.page = Page(self.keep_up)
        self._follows = False
        self._followed_to = 0

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._follows and self._is_at_end:
            # Not at once: it may be Textual's animation that has set the value, and
            # to anchor takes that away from under it, which ends the program.
            self.call_next(self._hold_end)
        if round(old_value) != round(new_value):
            self.post_message(Scrolled(self))

    @property
    def _is_at_end(self) -> bool:
        return self.scroll_y >= self.max_scroll_y > 0

    def _hold_end(self) -> None:
        """Follow the end from now on, unless it has been left again."""
        if not self._follows and self._is_at_end:
            self.anchor()

    def action_scroll_end(self) -> None:
        self._follows = False
        super().action_scroll_end()
        self.anchor()
        # An anchored window is moved without a word to its watchers.
        self.call_after_refresh(self.post_message, Scrolled(self))

    def on_resize(self) -> None:
        self.keep_up()

    def compose(self) -> ComposeResult:
        yield self.page

    @property
    def views(self) -> list[TurnView]:
        return [view for view in self.page.children if isinstance(view, TurnView)]

    # Following

    def stay(self) -> None:
        """Stop following: the place to be seen was chosen."""
        self._follows = False
        self.release_anchor()

    def follow(self) -> None:
        """Follow the last turn from now on, until its question would leave."""
        self.anchor(False)
        self._follows, self._followed_to = True, round(self.scroll_y)
        self.keep_up()

    def keep_up(self) -> None:
        """Something has grown: follow it once it is laid out, if it is followed."""
        self.call_after_refresh(self._keep_up)

    def _keep_up(self) -> None:
        views = self.views
        if self._follows and views:
            last = min(self._followed_to, self.max_scroll_y)
            if round(self.scroll_y) != last:
                self._follows = False  # the user has scrolled
            else:
                # As far as the question may go up: of a long one its end stays.
                hidden = max(0, views[-1].question_lines - self.size.height // 3)
                top = min(self.max_scroll_y, views[-1].virtual_region.y + hidden)
                self._followed_to = round(top)
                self.scroll_to(y=self._followed_to, animate=False, immediate=True)
        self.post_message(Scrolled(self))

    # Where it is

    def _at_top(self) -> TurnView | None:
        """The turn at the top edge."""
        top = self.scroll_y
        return next((v for v in self.views if v.virtual_region.bottom > top), None)

    @property
    def left_question(self) -> str:
        """The question that is answered at the top edge, where it is above that."""
        view = self._at_top()
        if view is None or view.virtual_region.y + view.question_lines > self.scroll_y:
            return ""
        return view.turn.question

    @property
    def has_more(self) -> bool:
        """There is text below the window."""
        return round(self.scroll_y) < self.max_scroll_y

    def place(self) -> tuple[Turn, int] | None:
        """The turn at the top edge, and how many of its lines are above that edge."""
        view = self._at_top()
        if view is None:
            return None
        return view.turn, max(0, round(self.scroll_y) - view.virtual_region.y)

    def go_to(self, turn: Turn, line: int) -> None:
        """Bring that line of `turn` to the top edge, or its end to the bottom."""
        for view in self.views:
            if view.turn is turn:
                region = view.virtual_region
                furthest = max(0, region.height - self.size.height)
                self._follows = False
                self.scroll_to(y=region.y + min(line, furthest), animate=False)


class Pane(Vertical):
    """The pane of one model."""

    status: var[str] = var("", init=False)
    """Progress of the pane."""
    apart: var[tuple[str, str]] = var(("", ""), init=False)
    """Contradiction between its answer and the other, in full and in short."""
    figures: var[str] = var("", init=False)
    """Speed and the like, where they are wanted."""
    empty: var[str] = var("", init=False)
    """Text while there is no turn yet."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__(id=pane)
        self.pane: PaneName = pane
        self.turns = Turns()
        self.header = PaneHeader(pane)
        self._status = Line(classes="status")
        self._pinned = Line(classes="pinned")
        self._empty = Line(classes="empty")
        self._earlier = Button("", classes="earlier", compact=True)
        self._hidden = 0  # turns before the first one that is mounted
        self._all: Sequence[Turn] = ()
        self.thoughts = False
        """Whether the model's thoughts are unfolded."""
        self.warnings = False
        """Whether every warning below an answer is said in full."""
        self.veil: Veil | None = None
        """Over the names of the models, while they are hidden."""

    def compose(self) -> ComposeResult:
        yield self.header
        yield self._status
        yield self._pinned
        yield self.turns

    async def on_mount(self) -> None:
        await self.turns.page.mount(self._earlier, self._empty)
        self._earlier.display = self._pinned.display = False

    @on(Scrolled)
    def _pin(self) -> None:
        """Have the question stand above its answer where it has left at the top."""
        question = self.turns.left_question
        self._pinned.display = bool(question)
        if question:
            self._pinned.say(wording.question(clean_line(question)))
        self.watch_status()

    @property
    def hidden(self) -> int:
        """Earlier turns that are not laid out."""
        return self._hidden

    def watch_status(self) -> None:
        more = wording.MORE_BELOW if self.turns.has_more else ""
        not_whole = self.status.startswith(wording.NOT_WHOLE)
        apart, short = self.apart
        width = self._status.content_size.width
        if cell_len(wording.joined(self.status, apart)) > width:
            apart = short
        said = [
            (self.status, "bold $warning" if not_whole else ""),
            (apart, "bold $warning"),
            (more, ""),
        ]
        # The figures last, as many as have room: half a number is read as another.
        for figure in filter(None, self.figures.split(wording.SEPARATOR)):
            whole = wording.joined(*(text for text, _ in said), figure)
            if cell_len(whole) <= width:
                said.append((figure, ""))
        parts = [Content.styled(text, style) for text, style in said if text]
        self._status.say(Content(wording.SEPARATOR).join(parts))

    def watch_figures(self) -> None:
        self.watch_status()

    def watch_apart(self) -> None:
        self.watch_status()

    def on_resize(self) -> None:
        self.call_after_refresh(self.watch_status)

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
        shown = [view.turn for view in kept]
        new = [
            TurnView(turn, self.pane)
            for turn in turns[self._hidden :]
            if turn not in shown
        ]
        if new:
            await self.turns.page.mount(*new)
            for view in self.turns.views[:-MOUNTED]:
                await view.remove()
                self._hidden += 1
            self.turns.follow()
        if new or not turns:
            self.header.mark_review(warnings=0, cites=True)
        self._show_edges()
        await self.draw()

    async def draw(self, last: bool = False) -> None:
        """Draw every turn that is mounted, or only the last, which grows."""
        views = self.turns.views
        for view in views[-1:] if last else views:
            if view.turn in self._all:  # else it is being taken away
                at = self._all.index(view.turn)
                await view.draw(
                    self._all[:at],
                    self.veil,
                    thoughts=self.thoughts,
                    is_last=at == len(self._all) - 1,
                    warnings=self.warnings,
                )
        self.turns.keep_up()

    @on(Reviewed)
    def _on_reviewed(self, event: Reviewed) -> None:
        event.stop()
        if self._all and event.turn is self._all[-1]:
            self.header.mark_review(event.warnings, event.cites)

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

    def _show_edges(self) -> None:
        self._empty.display = not self._all
        self._earlier.display = self._hidden > 0
        if self._hidden:
            self._earlier.label = Content(wording.show_earlier(self._hidden))
            self._earlier.refresh(layout=True)  # a new label alone keeps the width
