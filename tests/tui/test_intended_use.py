from __future__ import annotations

from pathlib import Path

import pytest

from medassist.intended_use import INTENDED_USE, INTENDED_USE_VERSION
from medassist.tui.dialogs.intended_use import IntendedUse
from tests.stubs.engine import FakeEngines
from tests.tui.running import app_with, push, seen, until


def test_it_says_for_whom_it_is_and_what_it_is_not_for() -> None:
    text = " ".join(INTENDED_USE.split())
    assert "for clinicians" in text
    assert "not for images or signals" in text
    assert "not for decisions that cannot wait" in text
    assert "not a medical device" in text
    assert "They read English only." in text
    assert "one in three of its answers is wrong" in text


async def test_whoever_accepted_an_earlier_version_is_asked_anew(
    home: Path, engines: FakeEngines
) -> None:
    settings = home / "config" / "settings.toml"
    settings.write_text(f"intended_use_accepted = {INTENDED_USE_VERSION - 1}\n")
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, IntendedUse))
        await push(pilot, "#accept")
        now = f"intended_use_accepted = {INTENDED_USE_VERSION}"
        await until(pilot, lambda: now in settings.read_text())


async def test_what_ask_has_told_accepts_nothing(
    home: Path, engines: FakeEngines
) -> None:
    settings = home / "config" / "settings.toml"
    settings.write_text(f"intended_use_told = {INTENDED_USE_VERSION}\n")
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, IntendedUse))


@pytest.mark.parametrize("size", [(80, 24), (41, 12)])
async def test_on_a_low_screen_the_rest_is_scrolled_to_and_the_buttons_stay(
    home: Path, engines: FakeEngines, size: tuple[int, int]
) -> None:
    (home / "config" / "settings.toml").unlink()
    app = app_with(engines)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "Before you begin" in seen(app.screen))
        await until(pilot, lambda: "I understand" in seen(app.screen))
        assert "encrypted records" not in seen(app.screen)
        await pilot.press(*["pagedown"] * 10)
        await until(pilot, lambda: "export it." in seen(app.screen))
        assert "I understand" in seen(app.screen)
