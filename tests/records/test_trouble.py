from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medassist.consult.verdict import now
from medassist.records.errors import InUse, Locked, NotSaved, RecordsError
from medassist.records.record import Record
from medassist.records.recorder import Recorder
from medassist.records.store import Store
from medassist.records.vault import Vault
from tests.records.making import (
    PASSPHRASE,
    SOURCES,
    a_record,
    a_turn,
    answer,
    ask,
    reopened,
    texts,
)


async def an_answer(store: Store) -> int:
    consultation = await store.begin("A title", now())
    turn = await store.add_turn(consultation, "A question?", None, now())
    return await store.add_answer(turn, "base", SOURCES["base"], 42)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What a full disk does to a write: it ends with an error in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_piece_after_a_hole_is_refused_and_spoils_nothing(
    vault: Vault,
) -> None:
    store = vault.open_store
    number = await an_answer(store)
    done = await asyncio.gather(
        store.append(number, 0, "one", 1),
        store.append(number, 7, "three", 3),
        store.append(number, 3, " two", 2),
        return_exceptions=True,
    )
    assert [type(r) for r in done] == [type(None), RecordsError, type(None)]
    saved = await store.reopen(1)
    shown = saved.record.consultation.turns[0].shown("base")
    assert shown is not None and shown.text == "one two"


async def test_who_stops_waiting_does_not_stop_the_writing(vault: Vault) -> None:
    store = vault.open_store
    number = await an_answer(store)
    waiting = asyncio.ensure_future(store.append(number, 0, "kept", 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await store.append(number, 4, "!", 2)
    saved = await store.reopen(1)
    shown = saved.record.consultation.turns[0].shown("base")
    assert shown is not None and shown.text == "kept!"


async def test_without_records_nothing_touches_the_disk(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "records")
    recorder = Recorder(vault, a_record())
    assert not await recorder.save()
    assert "not saved" in recorder.trouble or "locked" in recorder.trouble
    assert list(tmp_path.iterdir()) == []


async def test_an_answer_that_grows_while_the_records_are_locked_is_saved_after(
    vault: Vault,
) -> None:
    record = Record()
    recorder = Recorder(vault, record)
    turn = ask(record, "Slow?")
    base, tuned = turn.shown("base"), turn.shown("tuned")
    assert base is not None and tuned is not None
    base.write("one ", 1)
    tuned.write("eins ", 1)
    await recorder.save()
    await vault.lock()
    base.write("two ", 2)
    assert not await recorder.save()
    assert "locked" in recorder.trouble
    await vault.unlock(PASSPHRASE)
    base.write("three", 3)
    assert await recorder.save(at_once=True) and recorder.trouble == ""
    assert recorder.id is not None
    saved = await vault.open_store.reopen(recorder.id)
    assert texts(saved.record) == [("Slow?", ["one two three"], ["eins "])]
    answer(turn, "base", "one two three four")
    answer(turn, "tuned", "eins zwei")
    assert await recorder.save()
    again = await reopened(vault, recorder.id)
    assert texts(again) == texts(record)
    assert vault.open_store.broken_off == 0


async def test_a_full_disk_is_told_survived_and_made_good_for(vault: Vault) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    await recorder.save()
    size = (vault.folder / "records.db-wal").stat().st_size
    turn = a_turn(record, "Long?", "x" * 300_000, "y" * 300_000)
    # A limit of the process stands for a full disk: write() fails half-way, with
    # EFBIG where that gives ENOSPC. (A small disk of its own needs root.)
    with files_no_larger_than(size + 50_000):
        assert not await recorder.save()
        assert "full" in recorder.trouble and "not kept" in recorder.trouble
        assert len(await vault.open_store.page()) == 1
        # At once again: not for five seconds, unless it is wanted.
        assert not await recorder.save()
        assert not await recorder.save(at_once=True)
    assert await recorder.save(at_once=True)
    assert recorder.trouble == "" and turn.over
    assert texts(await reopened(vault, recorder.id)) == texts(record)


async def test_a_database_that_may_not_grow_says_that_the_disk_is_full(
    vault: Vault,
) -> None:
    store = vault.open_store
    number = await an_answer(store)
    # SQLite's own limit gives the very code that a full disk gives (SQLITE_FULL).
    await store.write([lambda db: db.execute("PRAGMA max_page_count = 1").fetchone()])
    with pytest.raises(NotSaved, match=r"records\.db is full"):
        await store.append(number, 0, "x" * 200_000, 1)
    await store.write([lambda db: db.execute("PRAGMA max_page_count = 99999")])
    await store.append(number, 0, "x" * 200_000, 1)


@pytest.mark.parametrize("what", ["removed", "moved", "replaced"])
async def test_nothing_counts_as_saved_in_a_file_that_has_lost_its_name(
    vault: Vault, what: str, tmp_path: Path
) -> None:
    store = vault.open_store
    number = await an_answer(store)
    file = vault.folder / "records.db"
    match what:
        case "removed":
            file.unlink()
        case "moved":
            file.rename(tmp_path / "elsewhere.db")
        case _:
            file.rename(tmp_path / "elsewhere.db")
            shutil.copy(tmp_path / "elsewhere.db", file)
    with pytest.raises(NotSaved, match="moved, removed or replaced"):
        await store.append(number, 0, "lost", 1)


async def test_a_second_window_is_told_and_can_read(vault: Vault) -> None:
    recorder = Recorder(vault, a_record())
    await recorder.save()
    second = Vault(vault.folder)
    with pytest.raises(InUse, match="another window"):
        await second.unlock(PASSPHRASE)
    store = await second.unlock(PASSPHRASE, read_only=True)
    assert store.read_only and len(await store.page()) == 1
    with pytest.raises(InUse, match="only be read"):
        await store.rename(1, "No")
    # What the first one saves meanwhile is seen.
    a_turn(recorder.record, "Later?", "A", "B")
    await recorder.save()
    assert (await store.page())[0].turns == 2
    assert len(await store.search("later")) == 1
    await second.lock()
    await vault.lock()
    await second.unlock(PASSPHRASE)
    await second.open_store.rename(1, "Yes")
    await second.lock()


async def test_after_locking_every_verb_says_so(vault: Vault) -> None:
    store = vault.open_store
    number = await an_answer(store)
    await vault.lock()
    with pytest.raises(Locked):
        await store.append(number, 0, "x", 1)
    with pytest.raises(Locked):
        await store.page()
    await vault.lock()


async def test_locking_saves_what_was_queued(vault: Vault) -> None:
    store = vault.open_store
    number = await an_answer(store)
    waiting = [
        asyncio.ensure_future(store.append(number, n, "x", n)) for n in range(50)
    ]
    await asyncio.sleep(0)
    await vault.lock()
    await asyncio.gather(*waiting)
    saved = await (await vault.unlock(PASSPHRASE)).reopen(1)
    shown = saved.record.consultation.turns[0].shown("base")
    assert shown is not None and shown.text == "x" * 50
