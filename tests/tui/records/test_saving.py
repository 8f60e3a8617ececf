"""Consultations are saved once the user wants it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input

from medassist.core.values import PANES
from medassist.records.errors import NotSaved
from medassist.records.vault import Vault
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.screens.lock import LockScreen
from tests.records.making import PASSPHRASE
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened
from tests.tui.records.steps import (
    KEYRING,
    SIZE,
    begin_records,
    fill,
    kept,
    last,
    open_history,
    settle,
    type_in,
    until_saved,
)


async def test_what_was_begun_unsaved_is_saved_whole_once_records_are_wanted(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it pneumonia?")
        assert "not saved" in page.seen
        assert not folder.exists()
        await begin_records(page)
        await until_saved(page)
        await page.until(lambda: "encrypted" in page.consult.top.text)
        assert "not saved" not in page.seen
        await page.ask("And if not?")
        await page.press("f5")
        await page.until(
            lambda: len(page.turns[-1].answers("base")) == 2,
        )
        await page.until_answered(2)
        await until_saved(page)
        await page.session.record.lock()
        (record,) = await kept(folder)
    first, second = record.consultation.turns
    assert (first.question, second.question) == ("Is it pneumonia?", "And if not?")
    for pane in PANES:
        said = f"The {pane} model answers to 'Is it pneumonia?'."
        assert last(first, pane).text == said
        assert len(second.answers(pane)) == 2


async def test_what_the_line_calls_encrypted_is_on_the_disk(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        engines.script.hold = asyncio.Event()
        await page.send("One?")
        await page.until(lambda: "encrypted, saving" in page.consult.top.text)
        # A copy of the files as a crash would leave them.
        await page.until(lambda: page.session.record.id is not None)
        engines.script.hold.set()
        await page.until_answered()
        await page.until(lambda: "encrypted ·" in page.consult.top.text)
        copy = folder.parent / "copy"
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (record,) = await kept(copy)
        assert last(record.consultation.turns[0], "base").state == "finished"


async def test_a_new_passphrase_is_typed_twice_and_nobody_can_recover_it(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        assert "Nobody can recover it" in page.seen
        await type_in(page, PASSPHRASE, PASSPHRASE + "x")
        await page.until_seen("not the same")
        await type_in(page, "short", "short")
        await page.until_seen("at least 8 characters")
        assert not folder.exists()
        await page.press("escape")
        await page.until_back()
        assert "not saved" in page.consult.top.text


async def test_a_wrong_passphrase_is_told_and_opens_nothing(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    async with opened(engines, size=SIZE) as page:
        await page.press("ctrl+o")
        await page.until_on_top(Passphrase)
        await type_in(page, "wrong horse battery")
        await page.until_seen("does not open the records")
        assert page.screen.query_one(Input).value == ""
        assert page.session.record.store is None


async def test_records_that_are_switched_off_leave_no_folder(
    engines: FakeEngines, home: Path
) -> None:
    settle(home, 'records = "never"')
    async with opened(engines, size=SIZE) as page:
        await page.ask("One?")
        for key in ("alt+s", "ctrl+o", "alt+p"):
            page.app.clear_notifications()
            await page.press(key)
            await page.until_told("switched off")
    assert not (home / "data").exists()


async def test_the_passphrase_is_asked_for_at_the_start_if_the_user_wants_that(
    engines: FakeEngines, home: Path, folder: Path
) -> None:
    settle(home, 'records = "at-start"')
    await fill(folder, "Fever?")
    async with opened(engines, size=SIZE, ready=False) as page:
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE)
        await page.until_back()
        assert "encrypted" in page.consult.top.text


async def test_the_passphrase_can_be_changed(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    async with opened(engines, size=SIZE) as page:
        await page.press("alt+p")
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE, "another good one", "another good one")
        await page.until_told("is changed")
    vault = Vault(folder)
    await vault.unlock("another good one")
    await vault.lock()


async def test_the_systems_keyring_opens_them_only_for_who_chose_that(
    engines: FakeEngines,
    home: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (home / "keyring.py").write_text(KEYRING)
    monkeypatch.syspath_prepend(home)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    async with opened(engines, size=SIZE) as page:
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        box = page.screen.query_one("#keyring", Checkbox)
        assert not box.value
        box.value = True
        await type_in(page, PASSPHRASE, PASSPHRASE)
        await page.until(lambda: page.session.record.is_open)
        settings = home / "config" / "settings.toml"
        await page.until(lambda: "records_in_keyring = true" in settings.read_text())
        await page.session.record.lock()
    async with opened(engines, size=SIZE) as page:
        await page.press("alt+s")
        await page.until(lambda: page.session.record.is_open)
        await page.press("ctrl+l")
        await page.until_on_top(LockScreen)
        assert "Type the passphrase" in page.seen
    held = sys.modules["keyring"].held
    assert len(held) == 1
    told = settings.read_text().replace("in_keyring = true", "in_keyring = false")
    settings.write_text(told)
    async with opened(engines, size=SIZE) as page:
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE)
        await page.until(lambda: page.session.record.is_open)
        await page.until(lambda: not held)
    sys.modules.pop("keyring", None)


async def test_what_cannot_be_saved_is_told_and_saved_later(
    engines: FakeEngines, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.session.consultation_record.AGAIN_S", 0.05)
    monkeypatch.setattr("medassist.records.recorder.AGAIN_S", 0.01)
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        store = page.session.record.store
        assert store is not None
        write = store.write

        async def full(changes: object) -> None:
            raise NotSaved("The disk is full. Free some space.")

        monkeypatch.setattr(store, "write", full)
        await page.ask("One?")
        await page.until_told("The disk is full")
        assert "NOT SAVED" in page.consult.top.text
        assert "answers to 'One?'" in page.seen
        await page.press("ctrl+q")
        await page.until_seen("is not saved")
        await page.press("escape")
        monkeypatch.setattr(store, "write", write)
        await until_saved(page)
        await page.until_told("saved again")
        await page.session.record.lock()
    assert len(await kept(folder)) == 1


async def test_a_second_window_is_told_and_can_read(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    first = Vault(folder)
    await first.unlock(PASSPHRASE)
    async with opened(engines, size=SIZE) as page:
        await open_history(page)
        await page.until_seen("Fever?")
        assert "another window" in page.told
        assert "not saved" in page.consult.top.text
    await first.lock()


async def test_quitting_what_is_saved_asks_nothing(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.ask("One?")
        await until_saved(page)
        await page.press("ctrl+q")
        await page.until(lambda: engines.last.state == "closed")
    assert len(await kept(folder)) == 1
