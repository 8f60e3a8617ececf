from __future__ import annotations

import pytest

from medassist.safety.identifiers import find_identifiers, replace
from medassist.tui.dialogs.identifiers import (
    IdentifierWarning,
    Outcome,
    warn_of_identifiers,
)
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened

NOTE = (
    "Mr John Smith, date of birth 03/04/1956, MRN: 4482913, was seen by Dr Adams. His "
    "telephone number is 555-214-7788. Mr John Smith is well."
)


def warning_for(page: Page, text: str) -> list[Outcome]:
    """Warn of `text`; what the user chose comes into the list."""
    chosen: list[Outcome] = []

    async def warn() -> None:
        chosen.append(await warn_of_identifiers(page.app, text))

    page.consult.run_worker(warn())
    return chosen


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_what_was_found_is_listed_by_kind_with_the_text_around_it(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    async with opened(engines, size=size) as page:
        warning_for(page, NOTE)
        await page.until_on_top(IdentifierWarning)
        await page.until_seen("A name")
        screen = page.seen
        assert "becomes [NAME]" in screen
        assert "John Smith" in screen and ", date of birth" in screen
        assert "Replace all (r)" in screen
        await page.press(*["pagedown"] * 3)
        await page.until_seen("555-214-7788")


@pytest.mark.parametrize(
    ("key", "outcome"),
    [("r", "replace"), ("k", "keep"), ("escape", "cancel"), ("enter", "cancel")],
)
async def test_one_key_decides_and_an_enter_too_many_lets_nothing_out(
    engines: FakeEngines, key: str, outcome: Outcome
) -> None:
    async with opened(engines) as page:
        chosen = warning_for(page, NOTE)
        await page.until_on_top(IdentifierWarning)
        await page.pause()
        await page.press(key)
        await page.until(lambda: chosen)
        assert chosen == [outcome]


async def test_replacing_can_be_done_with_the_button_too(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        chosen = warning_for(page, NOTE)
        await page.push("#replace")
        await page.until(lambda: chosen)
        assert chosen == ["replace"]
    replaced = replace(NOTE, find_identifiers(NOTE))
    assert "Smith" not in replaced and "4482913" not in replaced
    assert replaced.count("[NAME]") == 2


async def test_where_nothing_is_found_the_user_is_not_asked(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        chosen = warning_for(page, "What is the difference between asthma and COPD?")
        await page.until(lambda: chosen)
        assert chosen == ["keep"]
        assert page.screen is page.consult


async def test_what_was_found_is_drawn_without_what_a_terminal_obeys(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        warning_for(page, "\x1b]52;c;eA==\x07Mr John Smith [b]\x1b[2J is here")
        await page.until_on_top(IdentifierWarning)
        await page.until_seen("John Smith")
        assert "\x1b" not in page.seen and "\x07" not in page.seen


SPANISH = "desde ayer tiene fiebre y mucho dolor en el pecho."


async def test_a_text_that_the_rules_cannot_read_is_never_let_out_unasked(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        chosen = warning_for(page, SPANISH)
        await page.until_on_top(IdentifierWarning)
        await page.until_seen("read English best")
        assert "The rules cannot read this" in page.seen
        assert "Replace all" not in page.seen
        await page.press("r")
        await page.pause()
        assert not chosen
        await page.press("k")
        await page.until(lambda: chosen)
        assert chosen == ["keep"]


async def test_the_dialog_says_so_where_a_part_is_in_another_language(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        warning_for(page, f"{NOTE} {SPANISH}")
        await page.until_on_top(IdentifierWarning)
        await page.until_seen("read English best")
        assert "becomes [NAME]" in page.seen
