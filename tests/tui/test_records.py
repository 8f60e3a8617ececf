"""Records in the screen: opened, fed, locked, listed, exported."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, OptionList

from medassist.consult.answer import Answer
from medassist.consult.turn import PANES, PaneName, Turn
from medassist.records.errors import NotSaved
from medassist.records.record import Record
from medassist.records.vault import Vault
from medassist.tui import lock
from medassist.tui.app import ConsultApp
from medassist.tui.screens.export import Export
from medassist.tui.screens.history import History
from medassist.tui.screens.identifiers import IdentifierWarning
from medassist.tui.screens.lock import LockScreen
from medassist.tui.screens.passphrase import Passphrase
from tests.records.making import CHEAP, PASSPHRASE, a_record
from tests.stubs.engine import FakeEngines
from tests.tui.running import (
    app_with,
    ask,
    push,
    seen,
    told,
    until,
    until_answered,
    until_ready,
)

SIZE = (110, 36)
KEYRING = """
held = {}
def get_password(service, name): return held.get((service, name))
def set_password(service, name, secret): held[service, name] = secret
def delete_password(service, name): del held[service, name]
"""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medassist.records.vault.Cost", lambda: CHEAP)


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "data" / "records"


def settle(home: Path, line: str) -> None:
    file = home / "config" / "settings.toml"
    file.write_text(file.read_text() + line + "\n")


async def type_in(pilot: Pilot[int], *values: str) -> None:
    """Fill the fields of the dialog that is on top, and press Enter in the last one."""
    fields = list(pilot.app.screen.query(Input))
    for field, value in zip(fields, values, strict=True):
        field.value = value
    fields[-1].focus()
    await pilot.press("enter")


async def begin_records(pilot: Pilot[int], app: ConsultApp) -> None:
    await pilot.press("alt+s")
    await until(pilot, lambda: isinstance(app.screen, Passphrase))
    await type_in(pilot, PASSPHRASE, PASSPHRASE)
    await until(pilot, lambda: app.screen is app.consult)
    await until(pilot, lambda: app.consult.recording.is_open)


async def until_saved(pilot: Pilot[int], app: ConsultApp) -> None:
    await until(pilot, lambda: app.consult.recording.is_saved)
    await pilot.pause()


def last(turn: Turn, pane: PaneName) -> Answer:
    answer = turn.shown(pane)
    assert answer is not None
    return answer


async def kept(folder: Path) -> list[Record]:
    """What another start of the program finds."""
    vault = Vault(folder)
    store = await vault.unlock(PASSPHRASE)
    found = [(await store.reopen(line.id)).record for line in await store.page()]
    await vault.lock()
    return found


async def fill(folder: Path, *questions: str) -> None:
    from medassist.records.recorder import Recorder

    vault = Vault(folder)
    if not vault.exists:
        await vault.create(PASSPHRASE, CHEAP)
    else:
        await vault.unlock(PASSPHRASE)
    for question in questions:
        assert await Recorder(vault, a_record(question)).save()
    await vault.lock()


async def open_history(pilot: Pilot[int], app: ConsultApp) -> History:
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, Passphrase | History))
    if isinstance(app.screen, Passphrase):
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: isinstance(app.screen, History))
    screen = app.screen
    assert isinstance(screen, History)
    return screen


# Saving


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
            lambda: len(app.consult.consultation.turns[-1].answers("base")) == 2,
        )
        await until_answered(pilot, app, turns=2)
        await until_saved(pilot, app)
        await app.consult.recording.lock()
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
        await until(pilot, lambda: app.consult.recording.id is not None)
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
        assert app.consult.recording.store is None


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
        await until(pilot, lambda: app.consult.recording.is_open)
        settings = home / "config" / "settings.toml"
        await until(pilot, lambda: "records_in_keyring = true" in settings.read_text())
        await app.consult.recording.lock()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: app.consult.recording.is_open)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LockScreen))
        assert "Type the passphrase" in seen(app.screen)
    sys.modules.pop("keyring", None)


async def test_what_cannot_be_saved_is_told_and_saved_later(
    engines: FakeEngines, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medassist.tui.recording.AGAIN_S", 0.05)
    monkeypatch.setattr("medassist.records.recorder.AGAIN_S", 0.01)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        store = app.consult.recording.store
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
        await app.consult.recording.lock()
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


# Identifiers


async def test_a_name_is_warned_of_before_it_is_saved_and_can_be_replaced(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Mrs Johnson, MRN 48151623, has fever. What now?")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        assert not app.consult.consultation.turns
        await pilot.press("r")
        await until_answered(pilot, app)
        await until_saved(pilot, app)
        await app.consult.recording.lock()
    (record,) = await kept(folder)
    question = record.consultation.turns[0].question
    assert "Johnson" not in question and "48151623" not in question
    assert "fever" in question
    assert {w.outcome for w in record.warnings} == {"replaced"}


async def test_who_cancels_the_warning_has_the_question_back(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Mrs Johnson has fever?")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert app.consult.composer.text == "Mrs Johnson has fever?"
        assert not app.consult.consultation.turns


async def test_who_cancels_the_warning_has_nothing_saved_of_what_was_begun(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Mrs Johnson has fever?")
        await until_answered(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        app.consult.draw_lines()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        await until(pilot, lambda: app.consult.recording.store is None)
        assert "not saved" in app.consult.top.text
    assert await kept(folder) == []


async def test_names_in_what_was_begun_are_replaced_before_it_is_saved(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Mrs Johnson has fever?")
        await until_answered(pilot, app)
        await pilot.press("alt+s")
        await until(pilot, lambda: isinstance(app.screen, Passphrase))
        await type_in(pilot, PASSPHRASE, PASSPHRASE)
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await pilot.press("r")
        await until_saved(pilot, app)
        await until(pilot, lambda: app.screen is app.consult)
        await until(pilot, lambda: "Johnson" not in seen(app.screen))
        await app.consult.recording.lock()
    (record,) = await kept(folder)
    assert "Johnson" not in record.heading
    assert "Johnson" not in last(record.consultation.turns[0], "base").text


# Lock


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
        await until(pilot, lambda: app.consult.recording.store is None)
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
        await until(pilot, lambda: app.consult.recording.store is None)
        assert "saved when you" in seen(app.screen)
        engines.script.hold.set()
        await until(pilot, lambda: app.consult.consultation.over)
        assert "sepsis" not in seen(app.screen)
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        await until_saved(pilot, app)
        await app.consult.recording.lock()
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
        await until(pilot, lambda: app.consult.recording.is_open)
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
        await until(pilot, lambda: app.consult.recording.store is None)
        folder.rename(folder.parent / "gone")
        await type_in(pilot, "wrong horse battery")
        await until(pilot, lambda: "is not there" in seen(app.screen))
        assert isinstance(app.screen, LockScreen)
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: app.screen is app.consult)
        assert "is not there" in told(app)
        assert "not saved" in app.consult.top.text
        assert "Is it sepsis?" in seen(app.screen)


# History


async def test_a_consultation_is_found_by_its_words_and_gone_on_with(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever since Monday?", "A cough, dry?", "Fever and a rash?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "A cough, dry?" in seen(app.screen))
        assert "Heron 1B and Kestrel 1B" in seen(app.screen)
        assert "B is better" in seen(app.screen)
        await pilot.press(*"fever ras")
        await until(pilot, lambda: "1 found" in seen(app.screen))
        assert "cough" not in seen(app.screen) and "rash" in seen(app.screen)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.consult)
        await until(pilot, lambda: "Do an ECG first." in seen(app.screen))
        await until(pilot, lambda: "goes to Tiny base and Tiny tuned" in told(app))
        await ask(pilot, app, "And then?")
        await until_answered(pilot, app, turns=2)
        asked = engines.last.asked[-1]["base"].messages
        assert [m.content for m in asked] == [
            "Fever and a rash?",
            "Give aspirin.",
            "And then?",
        ]
        await until_saved(pilot, app)
        await app.consult.recording.lock()
    assert len((await kept(folder))[0].consultation.turns) == 2


async def test_the_history_is_filtered_by_verdict(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "Fever?" in seen(app.screen))
        await pilot.press("f6")  # A
        await until(pilot, lambda: "Fever?" not in seen(app.screen))
        assert "verdict: A is better" in seen(app.screen)
        await pilot.press("f6")  # B
        await until(pilot, lambda: "Fever?" in seen(app.screen))


async def test_a_consultation_is_renamed_and_deleted(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "Fever?" in seen(app.screen))
        await pilot.press("f2")
        await until(pilot, lambda: app.screen.query("#take"))
        await type_in(pilot, "Bed 7")
        await until(
            pilot, lambda: "Bed 7" in seen(app.screen) and app.screen.query("#list")
        )
        await pilot.press("f8")
        await until(pilot, lambda: "On an SSD" in seen(app.screen))
        await push(pilot, "#yes")
        await until(pilot, lambda: "nothing is saved yet" in seen(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        await app.consult.recording.lock()
    assert await kept(folder) == []


async def test_what_is_deleted_while_it_is_on_the_screen_does_not_come_back(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await until_saved(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "on the screen" in seen(app.screen))
        await pilot.press("f8")
        await push(pilot, "#yes")
        await until(pilot, lambda: "nothing is saved yet" in seen(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        await until(pilot, lambda: "One?" not in seen(app.screen))
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app)
        await until_saved(pilot, app)
        await app.consult.recording.lock()
    (record,) = await kept(folder)
    assert [turn.question for turn in record.consultation.turns] == ["Two?"]


async def test_a_long_history_comes_page_by_page(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, *(f"Question number {n}?" for n in range(60)))
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await open_history(pilot, app)
        await until(pilot, lambda: "50 of 60" in seen(app.screen))
        entries = app.screen.query_one(OptionList)
        assert entries.option_count == 51
        entries.focus()
        await pilot.press("end", "enter")
        await until(pilot, lambda: entries.option_count == 60)


# Export


async def open_export(pilot: Pilot[int], app: ConsultApp, file: Path) -> None:
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, Export))
    app.screen.query_one("#file", Input).value = str(file)


async def test_an_unsaved_consultation_is_exported_as_a_draft_for_its_user_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        assert "DRAFT, UNREVIEWED" in seen(app.screen)
        await push(pilot, "#write")
        await until(pilot, lambda: app.screen is app.consult)
    assert "DRAFT, UNREVIEWED" in file.read_text()
    assert "Is it sepsis?" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (tmp_path / "data" / "records").exists()


async def test_a_file_that_is_there_is_replaced_only_when_the_user_says_so(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    file.write_text("mine")
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        await push(pilot, "#write")
        await until(pilot, lambda: "is there already" in seen(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Export))
        assert file.read_text() == "mine"
        await push(pilot, "#write")
        await push(pilot, "#yes")
        await until(pilot, lambda: app.screen is app.consult)
    assert "Is it sepsis?" in file.read_text()


async def test_identifiers_are_warned_of_and_replaced_in_the_export_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.json"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Mrs Johnson, MRN 48151623, has fever. What now?")
        await until_answered(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Export))
        app.screen.query_one("#form", OptionList).highlighted = 3
        await pilot.pause()
        assert app.screen.query_one("#file", Input).value.endswith(".json")
        app.screen.query_one("#file", Input).value = str(file)
        await push(pilot, "#write")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        assert not file.exists()
        await pilot.press("r")
        await until(pilot, lambda: app.screen is app.consult)
        assert "Johnson" in seen(app.screen)
    text = file.read_text()
    assert "Johnson" not in text and "48151623" not in text
    held = json.loads(text)
    assert held["reviewed"] is False
    assert {w["outcome"] for w in held["identifiers_warned_of"]} == {"replaced"}


async def test_a_sign_off_is_asked_for_and_stands_in_the_export(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        await push(pilot, "#sign-off")
        await push(pilot, "#yes")
        await until(pilot, lambda: "Signed off 20" in seen(app.screen))
        await push(pilot, "#write")
        await until(pilot, lambda: app.screen is app.consult)
    assert "Reviewed and signed off" in file.read_text()
    assert "DRAFT" not in file.read_text()
