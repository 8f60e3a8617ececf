"""Search in what stands in the panes: one place after the other, in both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection
from textual.widgets import Input, Static

from medassist.tui import keys
from medassist.tui.consult.pane import Turns
from medassist.tui.consult.panes import Panes
from medassist.tui.consult.tied import wrapped
from medassist.tui.consult.turn_view import AnswerText
from medassist.tui.line import Line
from medassist.tui.wording import consult as wording

MOST = 1_000
"""Places that are looked for: one letter stands in a consultation everywhere."""


@dataclass(frozen=True)
class FoundText:
    """Place of a text that was searched for.

    Attributes:
        turns: the window that it can be scrolled into.
        part: what draws it.
        start: characters of the part before it.
        end: characters up to its end.
    """

    turns: Turns
    part: Static
    start: int
    end: int


class Search(Horizontal):
    """A line to type into, seen only while something is searched for.

    Args:
        panes: where it searches.
    """

    BINDINGS = keys.bindings("search")

    def __init__(self, panes: Panes) -> None:
        super().__init__(id="search")
        self._panes = panes
        self._label = Line(wording.FIND, classes="label")
        self._field = Input(compact=True, select_on_focus=False)
        self._count = Line(classes="count")
        self._places: list[FoundText] = []
        self._at = -1

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._field
        yield self._count

    def on_mount(self) -> None:
        self.display = False

    @property
    def is_open(self) -> bool:
        """Something is being searched for."""
        return self.display

    def open(self) -> None:
        """Ask what is searched for."""
        self.display = True
        self._field.focus()
        self._search()

    def close(self) -> None:
        """Leave the place where it is, and mark it no longer."""
        self.display = False
        self.screen.selections = {}

    @on(Input.Changed)
    def _search(self) -> None:
        self._places = _places(self._panes, self._field.value)
        self._at = -1
        self.action_next()

    def action_next(self) -> None:
        self._go(1)

    def action_previous(self) -> None:
        self._go(-1)

    def _go(self, step: int) -> None:
        # What has been drawn anew since is searched for again.
        if any(not place.part.is_attached for place in self._places):
            self._places = _places(self._panes, self._field.value)
        count = len(self._places)
        self._at = (max(self._at, -1) + step) % count if count else -1
        if self._at < 0:
            self.screen.selections = {}
        else:
            self._show(self._places[self._at])
        hidden = sum(pane.hidden for pane in self._panes.seen)
        said = wording.found(self._at + 1, count, bool(self._field.value), hidden)
        self._count.say(said)

    def _show(self, place: FoundText) -> None:
        text = text_of(place.part)
        self.screen.selections = {
            place.part: Selection(_offset(text, place.start), _offset(text, place.end))
        }
        turns, part = place.turns, place.part
        width = max(1, part.content_size.width)
        above = len(wrapped(Content(text[: place.start]), width)) - 1
        line = part.region.y - turns.region.y + turns.scroll_y + above
        turns.stay()
        turns.scroll_to(y=max(0, line - turns.size.height // 3), animate=False)


def text_of(part: Static) -> str:
    """The text that `part` draws, line by line."""
    from medassist.tui.consult.answer_table import Laid  # costs the first frame else

    content = part.content
    if isinstance(content, Laid):
        content = content.at(part.content_size.width)
    return content.plain if isinstance(content, Content) else str(content)


def _is_said(part: Static) -> bool:
    """Whether somebody has asked or answered it; the rest is our own."""
    within = part.ancestors_with_self
    return part.has_class("question") or any(isinstance(n, AnswerText) for n in within)


def _is_seen(part: Static) -> bool:
    return all(node.display for node in part.ancestors_with_self)


def _offset(text: str, at: int) -> Offset:
    before = text[:at]
    return Offset(at - (before.rfind("\n") + 1), before.count("\n"))


def _places(panes: Panes, wanted: str) -> list[FoundText]:
    """Every place where `wanted` stands, in the order in which one reads."""
    words = wanted.split()
    if not words:
        return []
    # A line end of the drawing is a space of the text.
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found: list[FoundText] = []
    for pane in panes.seen:
        for part in pane.turns.query(Static):
            if part.children or not (_is_said(part) and _is_seen(part)):
                continue
            for match in pattern.finditer(text_of(part)):
                found.append(FoundText(pane.turns, part, *match.span()))
                if len(found) == MOST:
                    return found
    return found
