from __future__ import annotations

import pytest

from medassist.safety.identifiers import find_identifiers, replace
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.identifiers import (
    IdentifierWarning,
    Outcome,
    warn_of_identifiers,
)
from tests.stubs.engine import FakeEngines
from tests.tui.running import app_with, push, seen, until, until_ready

NOTE = (
    "Mr John Smith, date of birth 03/04/1956, MRN: 4482913, was seen by Dr Adams. His "
    "telephone number is 555-214-7788. Mr John Smith is well."
)


def warning_for(app: ConsultApp, text: str) -> list[Outcome]:
    """Warn of `text`; what the user chose comes into the list."""
    chosen: list[Outcome] = []

    async def warn() -> None:
        chosen.append(await warn_of_identifiers(app, text))

    app.consult.run_worker(warn())
    return chosen


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_what_was_found_is_listed_by_kind_with_the_text_around_it(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    app = app_with(engines)
    async with app.run_test(size=size) as pilot:
        await until_ready(pilot, app)
        warning_for(app, NOTE)
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await until(pilot, lambda: "A name" in seen(app.screen))
        screen = seen(app.screen)
        assert "becomes [NAME]" in screen
        assert "John Smith" in screen and ", date of birth" in screen
        assert "Replace all (r)" in screen
        await pilot.press(*["pagedown"] * 3)
        await until(pilot, lambda: "555-214-7788" in seen(app.screen))


@pytest.mark.parametrize(
    ("key", "outcome"),
    [("r", "replace"), ("k", "keep"), ("escape", "cancel"), ("enter", "cancel")],
)
async def test_one_key_decides_and_an_enter_too_many_lets_nothing_out(
    engines: FakeEngines, key: str, outcome: Outcome
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        chosen = warning_for(app, NOTE)
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: chosen)
        assert chosen == [outcome]


async def test_replacing_can_be_done_with_the_button_too(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        chosen = warning_for(app, NOTE)
        await push(pilot, "#replace")
        await until(pilot, lambda: chosen)
        assert chosen == ["replace"]
    replaced = replace(NOTE, find_identifiers(NOTE))
    assert "Smith" not in replaced and "4482913" not in replaced
    assert replaced.count("[NAME]") == 2


async def test_where_nothing_is_found_the_user_is_not_asked(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        chosen = warning_for(app, "What is the difference between asthma and COPD?")
        await until(pilot, lambda: chosen)
        assert chosen == ["keep"]
        assert app.screen is app.consult


async def test_what_was_found_is_drawn_without_what_a_terminal_obeys(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        warning_for(app, "\x1b]52;c;eA==\x07Mr John Smith [b]\x1b[2J is here")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await until(pilot, lambda: "John Smith" in seen(app.screen))
        assert "\x1b" not in seen(app.screen) and "\x07" not in seen(app.screen)


SPANISH = "desde ayer tiene fiebre y mucho dolor en el pecho."


async def test_a_text_that_the_rules_cannot_read_is_never_let_out_unasked(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        chosen = warning_for(app, SPANISH)
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await until(pilot, lambda: "read English only" in seen(app.screen))
        assert "The rules cannot read this" in seen(app.screen)
        assert "Replace all" not in seen(app.screen)
        await pilot.press("r")
        await pilot.pause()
        assert not chosen
        await pilot.press("k")
        await until(pilot, lambda: chosen)
        assert chosen == ["keep"]


async def test_the_dialog_says_so_where_a_part_is_in_another_language(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(120, 36)) as pilot:
        await until_ready(pilot, app)
        warning_for(app, f"{NOTE} {SPANISH}")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await until(pilot, lambda: "read English only" in seen(app.screen))
        assert "becomes [NAME]" in seen(app.screen)
