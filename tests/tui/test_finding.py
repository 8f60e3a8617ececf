"""Finding in the answers, copying a part of one, and earlier questions."""

from __future__ import annotations

import pytest

from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, copied_by, opened

TABLE = "| Drug | Dose |\n|---|---|\n| Digoxin | 125 micrograms |"
LONG = "\n\n".join(f"Paragraph {n} of a long answer." for n in range(60))


def marked(page: Page) -> str:
    """The text that is marked as found."""
    return page.screen.get_selected_text() or ""


async def test_what_is_searched_for_is_shown_place_by_place_in_both_panes(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {
        "base": [f"{LONG}\n\nGive *digoxin*\nslowly."],
        "tuned": [TABLE],
    }
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+f", *"digoxin")
        await page.until_seen("1 of 2")
        assert marked(page) == "digoxin"
        assert "Give digoxin" in page.seen
        await page.press("enter")
        await page.until_seen("2 of 2")
        assert marked(page) == "Digoxin"
        await page.press("down")
        await page.until_seen("1 of 2")
        await page.press("up")
        await page.until_seen("2 of 2")
        await page.press(*"zz")
        await page.until_seen("not found")
        await page.press("escape")
        assert page.consult.composer.has_focus and not page.consult.search.is_open
        assert marked(page) == ""


async def test_words_are_found_over_the_end_of_a_line_and_signs_are_no_pattern(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": ["Give ten\nmg (iv)."], "tuned": ["x"]}
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+f", *"TEN", "space", *"mg", "space", *"(")
        await page.until_seen("1 of 1")


async def test_tables_and_code_are_copied_one_after_the_other_as_they_were_written(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = copied_by(monkeypatch, works=True)
    engines.script.answers = {
        "base": [f"First:\n\n{TABLE}\n\n```\nx = 1\n```\nEnd."],
        "tuned": ["None of these."],
    }
    async with opened(engines) as page:
        await page.ask("One?")
        for _ in range(3):
            before = len(copied)
            await page.press("alt+x")
            await page.until(lambda before=before: len(copied) > before)
        assert copied == [TABLE, "x = 1", TABLE]
        await page.focus(page.consult.panes["tuned"].turns)
        await page.press("alt+x")
        await page.until_told("no table and no code")


async def test_earlier_questions_come_back_into_an_empty_composer(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        composer = page.consult.composer
        await page.ask("One?", "Two?")
        for key, expected in [
            ("up", "Two?"),
            ("up", "One?"),
            ("up", "One?"),
            ("down", "Two?"),
            ("down", ""),
        ]:
            await page.press(key)
            await page.until(lambda expected=expected: composer.text == expected)
        await page.press(*"mine", "up")
        await page.pause()
        assert composer.text == "mine"
        composer.text = ""
        await page.press("up", "enter")
        await page.until_answered(3)
        await page.press("up")
        await page.until(lambda: composer.text == "Two?")
