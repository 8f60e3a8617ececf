"""A locked screen shows nothing and holds no key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from medassist.records.vault import Vault
from medassist.tui import locking as lock
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.screens.lock import LockScreen
from tests.records.making import PASSPHRASE
from tests.stubs.engine import FakeEngines
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    kept,
    last,
    settle,
    type_in,
    until_saved,
)
from tests.tui.running import (
    app_with,
    ask,
    seen,
    told,
    until,
    until_answered,
    until_ready,
)


async def test_a_locked_screen_shows_nothing_and_has_no_key(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        app.consult.composer.text = "half a question"
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        await until(pilot, lambda: app.consult.session.record.store is None)
        await pilot.press("ctrl+p", "ctrl+o", "f9", "f1", "ctrl+s", "tab", "escape")
        await pilot.press("ctrl+c")
        await pilot.pause(0.1)
        assert isinstance(app.screen, LockScreen)
        screen = seen(app.screen)
        assert "Locked" in screen
        for word in ("sepsis", "half", "Tiny", "answers"):
            assert word not in screen
        assert app.clipboard == ""
        await type_in(pilot, "wrong horse battery")
        await until(pilot, lambda: "does not open" in seen(app.screen))
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        assert "Is it sepsis?" in seen(app.screen)
        assert app.consult.composer.text == "half a question"
        assert "encrypted" in app.consult.top.text


async def test_answers_that_are_written_behind_the_lock_are_saved_when_it_is_lifted(
    engines: FakeEngines, folder: Path
) -> None:
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until(pilot, lambda: "writing" in seen(app.screen))
        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.consult.session.record.store is None)
        assert "saved when you" in seen(app.screen)
        engines.script.hold.set()
        await until(pilot, lambda: app.consult.session.consultation.over)
        assert "sepsis" not in seen(app.screen)
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        await until_saved(pilot, app)
        await app.consult.session.record.lock()
    (record,) = await kept(folder)
    assert last(record.consultation.turns[0], "tuned").state == "finished"


async def test_without_records_the_screen_is_blanked_until_enter(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        assert "No passphrase guards" in seen(app.screen)
        assert "sepsis" not in seen(app.screen)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.consult)
        assert "Is it sepsis?" in seen(app.screen)


async def test_what_ends_behind_a_locked_screen_does_not_take_it_away(
    engines: FakeEngines, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    create = Vault.create

    async def slow(vault: Vault, passphrase: str) -> object:
        await go_on.wait()
        return await create(vault, passphrase)

    monkeypatch.setattr(Vault, "create", slow)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        go_on.set()
        await until(pilot, lambda: app.consult.session.record.is_open)
        await pilot.pause(0.1)
        assert isinstance(app.screen, LockScreen)
        assert "sepsis" not in seen(app.screen)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.consult)


async def test_it_locks_when_nobody_has_touched_a_key_for_a_while(
    engines: FakeEngines, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home, "lock_minutes = 3")
    time = 1000.0
    monkeypatch.setattr(lock, "clock", lambda: time)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        time += 170
        await pilot.press("x")
        time += 170
        app.locking.look()
        await pilot.pause()
        assert app.screen is app.consult
        time += 11
        app.locking.look()
        await until(pilot, lambda: isinstance(app.screen, LockScreen))


async def test_whoever_knows_the_passphrase_gets_the_screen_back_without_the_files(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.consult.session.record.store is None)
        folder.rename(folder.parent / "gone")
        await type_in(pilot, "wrong horse battery")
        await until(pilot, lambda: "is not there" in seen(app.screen))
        assert isinstance(app.screen, LockScreen)
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        assert "is not there" in told(app)
        assert "not saved" in app.consult.top.text
        assert "Is it sepsis?" in seen(app.screen)
