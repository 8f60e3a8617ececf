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
from tests.tui.page import opened

EVIL = "a\x1b]52;c;SEFDS0VE\x1b\\b\x1b]0;OWNED\x07c\x9b2Jd\u202e\u200fe"


async def test_no_line_of_the_screen_holds_what_a_terminal_obeys(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(100, 30)) as page:
        # As a place would that forgot to clean what it shows.
        await page.consult.mount(Static(EVIL, markup=False, id="forgot"), before=0)
        await page.until_seen("OWNED")
        drawn = page.screen._compositor.render_strips()
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
    async with opened(engines, size=(100, 30)) as page:
        await page.press("alt+y")
        await page.until_seen("abcde")
        assert "OWNED" not in page.seen
        await page.until_seen("holds no text")
