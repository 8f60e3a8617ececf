from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from medassist.consult.sides import Sides
from medassist.consult.verdict import Verdict, now
from medassist.core.values import PANES
from medassist.records.record import Record, WarningGiven
from medassist.records.recorder import Recorder
from medassist.records.sql_writes import BROKEN_OFF
from medassist.records.store import Store
from medassist.records.vault import Vault
from tests.records.making import (
    ADAPTER_FILE,
    BASE_FILE,
    FIGURES,
    FLAG,
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


async def test_a_consultation_comes_back_whole(vault: Vault) -> None:
    record = a_record()
    record.sides = Sides("tuned", True, now())
    record.warnings = (WarningGiven("name", 2, "saving", "kept", now()),)
    record.title = "Mine"
    turn = record.consultation.turns[0]
    turn.left_out = True
    recorder = Recorder(vault, record)
    assert await recorder.save()
    record.signed_off = now()
    assert await recorder.save()
    again = await reopened(vault, recorder.id)
    assert texts(again) == texts(record)
    other = again.consultation.turns[0]
    assert other.left_out
    assert again.flags == {other: (FLAG,)}
    assert again.verdicts == {other: record.verdicts[turn]}
    for name in ("title", "created", "sides", "signed_off", "warnings", "hashes"):
        assert getattr(again, name) == getattr(record, name), name
    for pane in PANES:
        was, now_ = turn.shown(pane), other.shown(pane)
        assert was is not None and now_ is not None
        assert vars(now_) == vars(was)


async def test_what_is_acknowledged_is_found_by_a_copy_of_the_files(
    vault: Vault, tmp_path: Path
) -> None:
    store = vault.open_store
    number = await an_answer(store)
    await store.append(number, 0, "one ", 1)
    await store.append(number, 4, "two", 2)
    shutil.copytree(vault.folder, tmp_path / "copy")
    copy = Vault(tmp_path / "copy")
    saved = await (await copy.unlock(PASSPHRASE)).reopen(1)
    shown = saved.record.consultation.turns[0].shown("base")
    assert shown is not None and shown.text == "one two"
    assert (shown.state, shown.failure) == ("failed", BROKEN_OFF)
    assert copy.open_store.broken_off == 1
    assert not shown.counts
    await copy.lock()


async def test_pieces_keep_their_order_however_many_wait(vault: Vault) -> None:
    store = vault.open_store
    number = await an_answer(store)
    pieces = [f"{n} " for n in range(200)]
    starts = [sum(map(len, pieces[:n])) for n in range(200)]
    await asyncio.gather(
        *(
            store.append(number, start, piece, n)
            for n, (start, piece) in enumerate(zip(starts, pieces, strict=True))
        )
    )
    saved = await store.reopen(1)
    shown = saved.record.consultation.turns[0].shown("base")
    assert shown is not None and shown.text == "".join(pieces)


async def test_text_that_no_file_can_hold_is_saved_as_near_as_can_be(
    vault: Vault,
) -> None:
    record = Record()
    a_turn(record, "a\ud800b\x00c?", "x\udfffy", "\U0001f9e0 naïve")
    recorder = Recorder(vault, record)
    assert await recorder.save()
    again = await reopened(vault, recorder.id)
    assert texts(again) == [("a?b\x00c?", ["x?y"], ["\U0001f9e0 naïve"])]


async def test_regenerated_answers_are_all_kept_and_the_shown_one_is_shown(
    vault: Vault,
) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    await recorder.save()
    turn = record.consultation.regenerate(SOURCES)
    answer(turn, "base", "Second.")
    answer(turn, "tuned", "Second too.")
    turn.show_earlier("base")
    assert await recorder.save()
    other = (await reopened(vault, recorder.id)).consultation.turns[0]
    assert [a.text for a in other.answers("base")] == ["Give aspirin.", "Second."]
    assert (other.place("base"), other.place("tuned")) == (0, 1)
    assert [a.seed for a in other.answers("tuned")] == [42, 43]


async def test_an_edited_question_is_a_branch_and_the_old_one_can_be_read(
    vault: Vault,
) -> None:
    record = a_record("First?")
    recorder = Recorder(vault, record)
    a_turn(record, "Old second?", "A", "B")
    a_turn(record, "Old third?", "C", "D")
    await recorder.save()
    del record.consultation.turns[1:]
    a_turn(record, "New second?", "E", "F")
    assert await recorder.save()
    assert recorder.id is not None
    store = vault.open_store
    saved = await store.reopen(recorder.id)
    questions = [t.question for t in saved.record.consultation.turns]
    assert questions == ["First?", "New second?"]
    assert [len(among) for among in saved.branches] == [1, 2]
    old, new = saved.branches[1]
    assert saved.turns[saved.record.consultation.turns[1]] == new
    before = await store.reopen(recorder.id, branch=old)
    assert [t.question for t in before.record.consultation.turns] == [
        "First?",
        "Old second?",
        "Old third?",
    ]


async def test_an_answer_that_ended_as_its_question_was_edited_is_whole(
    vault: Vault,
) -> None:
    record = Record()
    recorder = Recorder(vault, record)
    turn = ask(record, "Old?")
    for pane in PANES:
        shown = turn.shown(pane)
        assert shown is not None
        shown.write("half", 1)
    await recorder.save()
    answer(turn, "base", "half and half")
    answer(turn, "tuned", "half and half")
    del record.consultation.turns[:]
    a_turn(record, "New?", "A", "B")
    await recorder.save()
    assert recorder.id is not None
    await vault.lock()
    store = await vault.unlock(PASSPHRASE)
    old = (await store.reopen(recorder.id)).branches[0][0]
    before = await store.reopen(recorder.id, branch=old)
    assert texts(before.record) == [("Old?", ["half and half"], ["half and half"])]


async def test_a_question_that_was_taken_back_leaves_nothing(vault: Vault) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    ask(record, "Too long?")
    await recorder.save()
    record.consultation.withdraw(PANES)
    assert await recorder.save()
    record.consultation.regenerate(SOURCES)
    await recorder.save()
    record.consultation.withdraw(PANES)
    assert await recorder.save()
    again = await reopened(vault, recorder.id)
    assert texts(again) == texts(record)
    assert await vault.open_store.search("Too long") == ()


async def test_a_reopened_consultation_goes_on(vault: Vault) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    await recorder.save()
    assert recorder.id is not None
    saved = await vault.open_store.reopen(recorder.id)
    second = Recorder(vault, saved.record, saved)
    a_turn(saved.record, "And then?", "Rest.", "Walk.")
    turn = saved.record.consultation.turns[0]
    saved.record.judge(turn, Verdict("tie", "base", False, now()))
    assert await second.save() and second.id == recorder.id
    again = await reopened(vault, recorder.id)
    assert texts(again) == texts(saved.record)
    assert len(again.consultation.messages("base")) == 3
    assert [v.choice for v in again.verdicts[again.consultation.turns[0]]] == [
        "B",
        "tie",
    ]


async def test_saving_twice_writes_nothing_the_second_time(vault: Vault) -> None:
    recorder = Recorder(vault, a_record())
    await recorder.save()
    wal = vault.folder / "records.db-wal"
    before = wal.stat()
    assert await recorder.save()
    assert wal.stat() == before


async def test_what_is_added_takes_a_sign_off_back(vault: Vault) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    await recorder.save()
    record.signed_off = now()
    await recorder.save()
    assert recorder.id is not None
    assert (await vault.open_store.page())[0].signed_off
    a_turn(record, "More?", "A", "B")
    await recorder.save()
    assert record.signed_off is None
    assert not (await vault.open_store.page())[0].signed_off


async def test_hashes_that_come_late_are_saved_with_their_files(vault: Vault) -> None:
    record = a_record()
    recorder = Recorder(vault, record)
    await recorder.save()
    record.hashes[ADAPTER_FILE] = "cd" * 32
    await recorder.save()
    again = await reopened(vault, recorder.id)
    assert again.hashes == {BASE_FILE: "ab" * 32, ADAPTER_FILE: "cd" * 32}


async def test_conditions_of_another_version_do_not_keep_it_from_opening(
    vault: Vault,
) -> None:
    recorder = Recorder(vault, a_record())
    await recorder.save()
    await vault.open_store.write(
        [
            lambda db: db.execute(
                'UPDATE answer SET conditions = \'{"setup": {"new": 1}}\''
            )
        ]
    )
    shown = (await reopened(vault, recorder.id)).consultation.turns[0].shown("base")
    assert shown is not None and shown.conditions is None and shown.figures == FIGURES


def test_the_settings_that_durability_rests_on_are_in_force(tmp_path: Path) -> None:
    from medassist.core.files import create_private
    from medassist.records.cipher import connect
    from medassist.records.key import new_key

    create_private(tmp_path / "x.db")
    db = connect(tmp_path / "x.db", new_key())
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "temp_store": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cipher_memory_security": "1",
        "cipher_hmac_algorithm": "HMAC_SHA512",
    }
    found = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted}
    db.close()
    assert found == wanted
