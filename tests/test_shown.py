"""What a test reads off a screen does not hang on where a line breaks."""

from __future__ import annotations

import textwrap

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tests.shown import Shown, columns
from tests.tui.page import seen

WORDS = "is there already"
LENGTHS = range(1, 60)


def said(length: int) -> str:
    return f"/{'p' * length} {WORDS}."


class Panes(App[None]):
    """Two texts side by side, which are wrapped each for itself."""

    CSS = "Static { width: 1fr; border-right: vkey $panel; }"

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("One two three four " * 9)
            yield Static(id="said")


async def test_words_are_found_in_a_pane_wherever_their_line_is_broken() -> None:
    app, broken = Panes(), 0
    async with app.run_test(size=(60, 20)) as pilot:
        for length in LENGTHS:
            app.query_one("#said", Static).update(said(length))
            await pilot.pause()
            screen = seen(app.screen)
            assert WORDS in screen, screen
            assert screen.count(WORDS) == 1
            assert "is there too" not in screen
            broken += not any(WORDS in line for line in screen.splitlines())
    assert broken


def test_words_are_found_in_a_terminal_beside_other_columns() -> None:
    broken = 0
    for length in LENGTHS:
        left = textwrap.wrap("One two three four " * 9, 20)
        right = textwrap.wrap(said(length), 20)
        right += [""] * (len(left) - len(right))
        text = "\n".join(
            f"│ {a:<20} ▕ {b:<20} │" for a, b in zip(left, right, strict=False)
        )
        screen = Shown(text, columns(text))
        assert WORDS in screen, screen
        assert screen.count(WORDS) == 1
        broken += not any(WORDS in line for line in text.splitlines())
    assert broken


def test_words_are_not_made_of_what_stands_side_by_side() -> None:
    text = "It is    │ there already"
    assert WORDS not in Shown(text, columns(text))
