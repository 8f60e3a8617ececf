"""What is drawn is not obeyed, wherever on the screen it stands."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import Static

from tests.stubs.engine import FakeEngines
from tests.tui.running import app_with, seen, until, until_ready

EVIL = "a\x1b]52;c;SEFDS0VE\x1b\\b\x1b]0;OWNED\x07c\x9b2Jd\u202e\u200fe"


async def test_no_line_of_the_screen_holds_what_a_terminal_obeys(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_ready(pilot, app)
        # As a place would that forgot to clean what it shows.
        await app.consult.mount(Static(EVIL, markup=False, id="forgot"), before=0)
        await until(pilot, lambda: "OWNED" in seen(app.screen))
        drawn = app.screen._compositor.render_strips()
        console = Console(force_terminal=True, color_system=None)
        text = "".join(strip.render(console) for strip in drawn)
        text = re.sub(r"\x1b\[[\d;]*m", "", text)  # the program's own colours
        assert not set(text) & set("\x1b\x07\x9b\u202e\u200f")


def test_colours_and_the_width_of_a_line_stay() -> None:
    red = Style(color="red")
    strip = Strip([Segment(f"dose{EVIL}", red), Segment(" 5 mg", red)])
    console = Console(force_terminal=True, color_system="standard")
    drawn = strip.render(console)
    assert drawn.startswith("\x1b[31mdose")
    assert drawn.count("\x1b") == 4  # on and off, twice
    assert drawn.endswith(" 5 mg\x1b[0m")


async def test_a_prompt_with_an_evil_name_is_shown_by_a_clean_one(
    engines: FakeEngines, home: Path
) -> None:
    folder = home / "config" / "prompts"
    folder.mkdir()
    (folder / f"{EVIL}.md").write_text("What is asthma?")
    (folder / f"{EVIL} empty.md").write_text("")
    app = app_with(engines)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+y")
        await until(pilot, lambda: "abcde" in seen(app.screen))
        assert "OWNED" not in seen(app.screen)
        await until(pilot, lambda: "holds no text" in seen(app.screen))
