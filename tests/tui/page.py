"""The screen as somebody at the keyboard has it: opened, typed into, read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from medassist.consult.consultation import Consultation
from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.session.choice import Choice
from medassist.session.session import Session
from medassist.tui import clipboard
from medassist.tui.app import ConsultApp
from medassist.tui.consult.screen import ConsultScreen
from medassist.tui.consult.turn_view import TurnView
from tests.shown import Shown
from tests.stubs.engine import FakeEngines

PAIR = Choice(base=Path("/models/base.gguf"), adapter=Path("/models/adapter.gguf"))
PATIENCE_S = 30.0
LOOK_S = 0.02
"""Between two looks at the screen, each of which takes 5 ms to read it."""


def app_with(engines: FakeEngines, choice: Choice = PAIR) -> ConsultApp:
    return ConsultApp(choice, make_engine=engines)


class Page:
    """The app while it runs without a terminal."""

    def __init__(self, app: ConsultApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot
        self.press = pilot.press
        self.pause = pilot.pause

    @property
    def screen(self) -> Screen[Any]:
        """What is on top."""
        return self.app.screen

    @property
    def consult(self) -> ConsultScreen:
        return self.app.consult

    @property
    def session(self) -> Session:
        return self.app.consult.session

    @property
    def consultation(self) -> Consultation:
        return self.session.consultation

    @property
    def turns(self) -> list[Turn]:
        return self.consultation.turns

    # Reading

    @property
    def seen(self) -> Shown:
        """The screen on top as text, as the user sees it."""
        return seen(self.app.screen)

    @property
    def told(self) -> str:
        """What the user has been told in passing, as long as it stands there."""
        return "\n".join(note.message for note in self.app._notifications)

    def views(self, pane: PaneName) -> list[TurnView]:
        return self.consult.panes[pane].turns.views

    # Waiting

    async def until(self, what: Callable[[], object]) -> None:
        """Wait until `what()` is true; fail if it does not come true."""
        await until(self.pilot, what)

    async def until_seen(self, words: str) -> None:
        await self.until(lambda: words in self.seen)

    async def until_told(self, words: str) -> None:
        await self.until(lambda: words in self.told)

    async def until_on_top(self, kind: type[Screen[Any]]) -> None:
        await self.until(lambda: isinstance(self.screen, kind))

    async def until_back(self) -> None:
        """Wait until nothing is on top of the consult screen."""
        await self.until(lambda: self.screen is self.consult)

    async def until_ready(self) -> None:
        await self.until(lambda: self.consult.panes["base"].status == "ready")

    async def until_answered(self, turns: int = 1) -> None:
        await self._until_over(lambda: len(self.turns) == turns)

    @property
    def _answering(self) -> bool:
        """What has been written does not all stand on the screen yet."""
        draws = {"answer", "mark"}
        return any(w.group in draws and not w.is_finished for w in self.app.workers)

    async def _until_over(self, asked: Callable[[], object]) -> None:
        await self.until(
            lambda: asked() and self.consultation.over and not self._answering
        )
        await self.pilot.pause()

    # Doing

    async def send(self, question: str) -> None:
        """Ask `question`, and do not wait for an answer."""
        self.consult.composer.text = question
        self.consult.composer.focus()
        await self.pilot.pause()
        await self.pilot.press("enter")

    async def ask(self, *questions: str) -> None:
        """Ask `questions`, each once the one before it is answered in every pane."""
        for question in questions:
            before = self.turns[-1:]
            await self.send(question)
            await self._until_over(lambda before=before: self.turns[-1:] != before)

    async def focus(self, widget: Widget) -> None:
        widget.focus()
        await self.until(lambda: widget.has_focus)

    async def push(self, selector: str) -> None:
        """Push a button of the screen that is on top, by keyboard."""
        await self.until(lambda: self.screen.query(selector))
        button = self.screen.query(selector).first()
        await self.focus(button)
        # A button that still shows its last press takes no other.
        await self.until(lambda: not button.has_class("-active"))
        await self.pilot.press("enter")


@asynccontextmanager
async def opened(
    of: FakeEngines | ConsultApp,
    choice: Choice = PAIR,
    *,
    size: tuple[int, int] = (120, 36),
    notifications: bool = False,
    ready: bool = True,
) -> AsyncIterator[Page]:
    """The app, opened.

    Args:
        of: What answers in it; or an app that was made before.
        choice: The pair that it opens with, unless it was made before.
        size: Columns and rows of its window.
        notifications: What is told in passing is drawn too.
        ready: Wait until the pair is loaded.
    """
    app = of if isinstance(of, ConsultApp) else app_with(of, choice)
    async with app.run_test(size=size, notifications=notifications) as pilot:
        page = Page(app, pilot)
        if ready:
            await page.until_ready()
        yield page


async def until(pilot: Pilot[Any], what: Callable[[], object]) -> None:
    """Wait until `what()` is true, and what came with it is drawn."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not what():
        assert asyncio.get_running_loop().time() < end, "it did not come"
        await asyncio.sleep(LOOK_S)
    await pilot.pause()


def seen(screen: Screen[object]) -> Shown:
    """The screen as text, as the user sees it; words are found over a line's end."""
    strips = screen._compositor.render_strips()
    text = "\n".join(strip.text.rstrip() for strip in strips)
    pieces: list[str] = []
    for widget, (_, clip) in screen._compositor.visible_widgets.items():
        if widget.children:
            continue
        place = widget.content_region.intersection(clip)
        lines = strips[place.y : place.bottom]
        pieces.append("\n".join(line.crop(place.x, place.right).text for line in lines))
    return Shown(text, pieces)


def foot(view: TurnView) -> str:
    return str(view.query(".foot").last().render())


def copied_by(monkeypatch: pytest.MonkeyPatch, works: bool) -> list[str]:
    """The texts that are copied from now on; `works`: the clipboard's program does."""
    texts: list[str] = []

    async def copy(text: str) -> bool:
        texts.append(text)
        return works

    monkeypatch.setattr(clipboard, "copy_by_program", copy)
    return texts
