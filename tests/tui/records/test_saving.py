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
from tests.tui.running import (
    app_with,
    ask,
    seen,
    told,
    until,
    until_answered,
    until_ready,
)


async def test_what_was_begun_unsaved_is_saved_whole_once_records_are_wanted(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it pneumonia?")
        await until_answered(pilot, app)
        assert "not saved" in seen(app.screen)
        assert not folder.exists()
        await begin_records(pilot, app)
        await until_saved(pilot, app)
        await until(pilot, lambda: "encrypted" in app.consult.top.text)
        assert "not saved" not in seen(app.screen)
        await ask(pilot, app, "And if not?")
        await until_answered(pilot, app, turns=2)
        await pilot.press("f5")
        await until(
            pilot,
            lambda: (
                len(app.consult.session.consultation.turns[-1].answers("base")) == 2
            ),
        )
        await until_answered(pilot, app, turns=2)
        await until_saved(pilot, app)
        await app.consult.session.record.lock()
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
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        engines.script.hold = asyncio.Event()
        await ask(pilot, app, "One?")
        await until(pilot, lambda: "encrypted, saving" in app.consult.top.text)
        # A copy of the files as a crash would leave them.
        await until(pilot, lambda: app.consult.session.record.id is not None)
        engines.script.hold.set()
        await until_answered(pilot, app)
        await until(pilot, lambda: "encrypted ·" in app.consult.top.text)
        copy = folder.parent / "copy"
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        (record,) = await kept(copy)
        assert last(record.consultation.turns[0], "base").state == "finished"


async def test_a_new_passphrase_is_typed_twice_and_nobody_can_recover_it(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        assert "Nobody can recover it" in seen(app.screen)
        await type_in(pilot, PASSPHRASE, PASSPHRASE + "x")
        await until(pilot, lambda: "not the same" in seen(app.screen))
        await type_in(pilot, "short", "short")
        await until(pilot, lambda: "at least 8 characters" in seen(app.screen))
        assert not folder.exists()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert "not saved" in app.consult.top.text


async def test_a_wrong_passphrase_is_told_and_opens_nothing(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, "wrong horse battery")
        await until(pilot, lambda: "does not open the records" in seen(app.screen))
        assert app.screen.query_one(Input).value == ""
        assert app.consult.session.record.store is None


async def test_records_that_are_switched_off_leave_no_folder(
    engines: FakeEngines, home: Path
) -> None:
    settle(home, 'records = "never"')
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        for key in ("alt+s", "ctrl+o", "alt+p"):
            app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: "switched off" in told(app))
    assert not (home / "data").exists()


async def test_the_passphrase_is_asked_for_at_the_start_if_the_user_wants_that(
    engines: FakeEngines, home: Path, folder: Path
) -> None:
    settle(home, 'records = "at-start"')
    await fill(folder, "Fever?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        assert "encrypted" in app.consult.top.text


async def test_the_passphrase_can_be_changed(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+p")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE, "another good one", "another good one")
        await until(pilot, lambda: "is changed" in told(app))
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
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        box = app.screen.query_one("#keyring", Checkbox)
        assert not box.value
        box.value = True
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await until(pilot, lambda: app.consult.session.record.is_open)
        settings = home / "config" / "settings.toml"
        await until(pilot, lambda: "records_in_keyring = true" in settings.read_text())
        await app.consult.session.record.lock()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: app.consult.session.record.is_open)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        assert "Type the passphrase" in seen(app.screen)
    held = sys.modules["keyring"].held
    assert len(held) == 1
    told = settings.read_text().replace("in_keyring = true", "in_keyring = false")
    settings.write_text(told)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.consult.session.record.is_open)
        await until(pilot, lambda: not held)
    sys.modules.pop("keyring", None)


async def test_what_cannot_be_saved_is_told_and_saved_later(
    engines: FakeEngines, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.session.consultation_record.AGAIN_S", 0.05)
    monkeypatch.setattr("medassist.records.recorder.AGAIN_S", 0.01)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        store = app.consult.session.record.store
        assert store is not None
        write = store.write

        async def full(changes: object) -> None:
            raise NotSaved("The disk is full. Free some space.")

        monkeypatch.setattr(store, "write", full)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await until(pilot, lambda: "The disk is full" in told(app))
        assert "NOT SAVED" in app.consult.top.text
        assert "answers to 'One?'" in seen(app.screen)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "is not saved" in seen(app.screen))
        await pilot.press("escape")
        monkeypatch.setattr(store, "write", write)
        await until_saved(pilot, app)
        await until(pilot, lambda: "saved again" in told(app))
        await app.consult.session.record.lock()
    assert len(await kept(folder)) == 1


async def test_a_second_window_is_told_and_can_read(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    first = Vault(folder)
    await first.unlock(PASSPHRASE)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "Fever?" in seen(app.screen))
        assert "another window" in told(app)
        assert "not saved" in app.consult.top.text
    await first.lock()


async def test_quitting_what_is_saved_asks_nothing(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await until_saved(pilot, app)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: engines.last.state == "closed")
    assert len(await kept(folder)) == 1
