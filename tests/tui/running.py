"""Running the app without a terminal, and waiting for what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from medassist.core.values import PaneName
from medassist.session.choice import Choice
from medassist.tui import clipboard
from medassist.tui.app import ConsultApp
from medassist.tui.consult.turn_view import TurnView
from tests.shown import Shown
from tests.stubs.engine import FakeEngines

PAIR = Choice(base=Path("/models/base.gguf"), adapter=Path("/models/adapter.gguf"))
PATIENCE_S = 30.0


def app_with(engines: FakeEngines, choice: Choice = PAIR) -> ConsultApp:
    return ConsultApp(choice, make_engine=engines)


async def until(pilot: Pilot[int], what: Callable[[], object]) -> None:
    """Wait until `what()` is true; fail if it does not come true."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not what():
        assert asyncio.get_running_loop().time() < end, "it did not come"
        await pilot.pause(0.01)


async def until_ready(pilot: Pilot[int], app: ConsultApp) -> None:
    await until(pilot, lambda: app.consult.panes["base"].status == "ready")


async def until_answered(pilot: Pilot[int], app: ConsultApp, turns: int = 1) -> None:
    def finished() -> bool:
        consultation = app.consult.session.consultation
        drawn = app.consult.answers.are_drawn
        return len(consultation.turns) == turns and consultation.over and drawn

    await until(pilot, finished)
    await pilot.pause()


async def ask(pilot: Pilot[int], app: ConsultApp, question: str) -> None:
    app.consult.composer.text = question
    app.consult.composer.focus()
    await pilot.pause()
    await pilot.press("enter")


async def focus(pilot: Pilot[int], widget: Widget) -> None:
    widget.focus()
    await until(pilot, lambda: widget.has_focus)


async def push(pilot: Pilot[int], selector: str) -> None:
    """Push a button of the screen that is on top, by keyboard."""
    await until(pilot, lambda: pilot.app.screen.query(selector))
    button = pilot.app.screen.query(selector).first()
    await focus(pilot, button)
    # A button that still shows its last press takes no other.
    await until(pilot, lambda: not button.has_class("-active"))
    await pilot.press("enter")


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


def views(app: ConsultApp, pane: PaneName) -> list[TurnView]:
    return app.consult.panes[pane].turns.views


def foot(view: TurnView) -> str:
    return str(view.query(".foot").last().render())


def told(app: ConsultApp) -> str:
    """What the app has told the user in passing, as long as it stands there."""
    return "\n".join(note.message for note in app._notifications)


def copied_by(monkeypatch: pytest.MonkeyPatch, works: bool) -> list[str]:
    """The texts that are copied from now on; `works`: the clipboard's program does."""
    texts: list[str] = []

    async def copy(text: str) -> bool:
        texts.append(text)
        return works

    monkeypatch.setattr(clipboard, "copy_by_program", copy)
    return texts
