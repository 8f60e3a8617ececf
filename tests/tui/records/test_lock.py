"""A locked screen shows nothing and holds no key."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from medassist.records.vault import Vault
from medassist.tui import auto_lock as lock
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.screens.lock import LockScreen
from tests.records.making import PASSPHRASE
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    kept,
    last,
    settle,
    type_in,
    until_saved,
)


async def test_a_locked_screen_shows_nothing_and_has_no_key(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.ask("Is it sepsis?")
        page.consult.composer.text = "half a question"
        await page.press("ctrl+l")
        await page.until_on_top(LockScreen)
        await page.until(lambda: page.session.record.store is None)
        await page.press("ctrl+p", "ctrl+o", "f9", "f1", "ctrl+s", "tab", "escape")
        await page.press("ctrl+c")
        await page.pause(0.1)
        assert isinstance(page.screen, LockScreen)
        screen = page.seen
        assert "Locked" in screen
        for word in ("sepsis", "half", "Tiny", "answers"):
            assert word not in screen
        assert page.app.clipboard == ""
        await type_in(page, "wrong horse battery")
        await page.until_seen("does not open")
        await type_in(page, PASSPHRASE)
        await page.until_back()
        assert "Is it sepsis?" in page.seen
        assert page.consult.composer.text == "half a question"
        assert "encrypted" in page.consult.top.text


async def test_answers_that_are_written_behind_the_lock_are_saved_when_it_is_lifted(
    engines: FakeEngines, folder: Path
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.send("Is it sepsis?")
        await page.until_seen("writing")
        await page.press("ctrl+l")
        await page.until(lambda: page.session.record.store is None)
        assert "saved when you" in page.seen
        engines.script.hold.set()
        await page.until(lambda: page.consultation.over)
        assert "sepsis" not in page.seen
        await type_in(page, PASSPHRASE)
        await page.until_back()
        await until_saved(page)
        await page.session.record.lock()
    (record,) = await kept(folder)
    assert last(record.consultation.turns[0], "tuned").state == "finished"


async def test_without_records_the_screen_is_blanked_until_enter(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it sepsis?")
        await page.press("ctrl+l")
        await page.until_on_top(LockScreen)
        assert "No passphrase guards" in page.seen
        assert "sepsis" not in page.seen
        await page.press("enter")
        await page.until_back()
        assert "Is it sepsis?" in page.seen


async def test_what_ends_behind_a_locked_screen_does_not_take_it_away(
    engines: FakeEngines, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    create = Vault.create

    async def slow(vault: Vault, passphrase: str) -> object:
        await go_on.wait()
        return await create(vault, passphrase)

    monkeypatch.setattr(Vault, "create", slow)
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it sepsis?")
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE, PASSPHRASE)
        await page.press("ctrl+l")
        await page.until_on_top(LockScreen)
        go_on.set()
        await page.until(lambda: page.session.record.is_open)
        await page.pause(0.1)
        assert isinstance(page.screen, LockScreen)
        assert "sepsis" not in page.seen
        await page.press("enter")
        await page.until_back()


async def test_it_locks_when_nobody_has_touched_a_key_for_a_while(
    engines: FakeEngines, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home, "lock_minutes = 3")
    time = 1000.0
    monkeypatch.setattr(lock, "clock", lambda: time)
    async with opened(engines, size=SIZE) as page:
        time += 170
        await page.press("x")
        time += 170
        page.app.locking.look()
        await page.pause()
        assert page.screen is page.consult
        time += 11
        page.app.locking.look()
        await page.until_on_top(LockScreen)


async def test_whoever_knows_the_passphrase_gets_the_screen_back_without_the_files(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.ask("Is it sepsis?")
        await page.press("ctrl+l")
        await page.until(lambda: page.session.record.store is None)
        folder.rename(folder.parent / "gone")
        await type_in(page, "wrong horse battery")
        await page.until_seen("is not there")
        assert isinstance(page.screen, LockScreen)
        await type_in(page, PASSPHRASE)
        await page.until_back()
        assert "is not there" in page.told
        assert "not saved" in page.consult.top.text
        assert "Is it sepsis?" in page.seen
