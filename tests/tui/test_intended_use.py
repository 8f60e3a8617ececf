from __future__ import annotations

from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE, INTENDED_USE_VERSION
from medassist.tui.dialogs.intended_use import IntendedUse
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened


def test_it_says_for_whom_it_is_and_what_it_is_not_for() -> None:
    text = " ".join(INTENDED_USE.split())
    assert "for clinicians" in text
    assert "not for images or signals" in text
    assert "not for decisions that cannot wait" in text
    assert "not a medical device" in text
    assert "They read English, and German, French and Spanish less well." in text
    assert "one in three of its answers is wrong" in text


async def test_whoever_accepted_an_earlier_version_is_asked_anew(
    home: Path, engines: FakeEngines
) -> None:
    settings = home / "config" / "settings.toml"
    settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION - 1}\n")
    async with opened(engines, ready=False) as page:
        await page.until_on_top(IntendedUse)
        await page.push("#accept")
        now = f"intended_use_accepted = {INTENDED_USE_VERSION}"
        await page.until(lambda: now in settings.read_text())


async def test_what_ask_has_told_accepts_nothing(
    home: Path, engines: FakeEngines
) -> None:
    settings = home / "config" / "settings.toml"
    settings.write_text(f"intended_use_told = {INTENDED_USE_VERSION}\n")
    async with opened(engines, ready=False) as page:
        await page.until_on_top(IntendedUse)


@pytest.mark.parametrize("size", [(80, 24), (41, 12)])
async def test_on_a_low_screen_the_rest_is_scrolled_to_and_the_buttons_stay(
    home: Path, engines: FakeEngines, size: tuple[int, int]
) -> None:
    (home / "config" / "settings.toml").unlink()
    async with opened(engines, size=size, ready=False) as page:
        await page.until_seen("Before you begin")
        await page.until_seen("I understand")
        assert "encrypted records" not in page.seen
        await page.press(*["pagedown"] * 10)
        await page.until_seen("export it.")
        assert "I understand" in page.seen
