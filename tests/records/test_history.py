from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medassist.consult.answer import Source
from medassist.consult.sides import Sides
from medassist.consult.verdict import Choice, Verdict, now
from medassist.core.files import create_private
from medassist.records.cipher import Connection, connect
from medassist.records.deletion import WHAT_DELETION_MEANS
from medassist.records.errors import RecordsError
from medassist.records.history import Filter
from medassist.records.key import new_key
from medassist.records.migrations import STEPS, VERSION, migrate, version_of
from medassist.records.record import Record
from medassist.records.recorder import Recorder
from medassist.records.records_folder import DATABASE
from medassist.records.search import terms
from medassist.records.sql_writes import milliseconds
from medassist.records.vault import Vault
from tests.records.making import PASSPHRASE, a_record, a_turn, answer

CHECK_SEARCH = (
    "INSERT INTO passage_index (passage_index, rank) VALUES ('integrity-check', 1)"
)


async def save(vault: Vault, record: Record) -> int:
    recorder = Recorder(vault, record)
    assert await recorder.save(), recorder.trouble
    assert recorder.id is not None
    return recorder.id


async def found(vault: Vault, typed: str) -> list[int]:
    return [hit.summary.id for hit in await vault.open_store.search(typed)]


def judged(choice: Choice) -> Record:
    record = Record()
    turn = a_turn(record, f"Which is {choice}?", "One.", "Two.")
    record.judge(turn, Verdict(choice, "base", False, now()))
    return record


async def test_the_list_has_the_latest_first_and_comes_in_pages(vault: Vault) -> None:
    numbers = [await save(vault, a_record(f"Question {n}?")) for n in range(7)]
    store = vault.open_store
    # Times of one millisecond are told apart by the number.
    first, second = await store.page(limit=4), await store.page(offset=4, limit=4)
    assert [s.id for s in (*first, *second)] == numbers[::-1]
    assert await store.count() == 7
    assert first[0].title == "Question 6?"
    assert first[0].models == {"base": "Heron 1B", "tuned": "Kestrel 1B + adapter"}
    assert (first[0].turns, first[0].verdicts) == (1, ("B",))


async def test_the_list_is_filtered_by_the_last_verdict(vault: Vault) -> None:
    numbers = {c: await save(vault, judged(c)) for c in ("A", "tie", "both poor")}
    undecided = Record()
    turn = a_turn(undecided, "Changed my mind?", "One.", "Two.")
    for choice in ("A", "tie"):
        undecided.judge(turn, Verdict(choice, "base", False, now()))
    numbers["changed"] = await save(vault, undecided)
    silent = Record()
    a_turn(silent, "No verdict?", "One.", "Two.")
    numbers["none"] = await save(vault, silent)

    async def by(verdict: Choice | str) -> list[int]:
        page = await vault.open_store.page(Filter(verdict=verdict))  # type: ignore[arg-type]
        return [s.id for s in page]

    assert await by("A") == [numbers["A"]]
    assert await by("tie") == [numbers["changed"], numbers["tie"]]
    assert await by("both poor") == [numbers["both poor"]]
    assert await by("none") == [numbers["none"]]


async def test_the_list_is_filtered_by_model_and_by_date(vault: Vault) -> None:
    await save(vault, a_record())
    other = Record()
    turn = other.consultation.ask("Other?", {"base": Source("100%_sure")}, 1)
    answer(turn, "base", "Yes.")
    number = await save(vault, other)
    store = vault.open_store

    async def of(chosen: Filter) -> int:
        assert len(await store.page(chosen)) == await store.count(chosen)
        return await store.count(chosen)

    assert [s.id for s in await store.page(Filter(model="%_S"))] == [number]
    assert await of(Filter(model="heron")) == 1
    assert await of(Filter(model="h_ron")) == 0
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert await of(Filter(before=later)) == 2
    assert await of(Filter(since=later)) == 0
    assert [h.summary.id for h in await store.search("other", Filter(model="sure"))]
    assert await store.search("other", Filter(model="heron")) == ()


async def test_hidden_names_are_in_no_list_search_or_filter(vault: Vault) -> None:
    record = a_record()
    record.sides = Sides("tuned", blind=True)
    number = await save(vault, record)
    store = vault.open_store
    lines = [*await store.page(), *(h.summary for h in await store.search("aspirin"))]
    assert [line.models for line in lines] == [{}, {}]
    assert all(line.hidden for line in lines)
    assert "Heron" not in str(lines) and "Kestrel" not in str(lines)
    assert await store.page(Filter(model="Heron")) == ()
    assert await found(vault, "Heron") == []
    assert [j.hidden for j in await store.verdicts()] == [True]
    await store.set_sides(number, Sides("tuned", True, now()))
    assert (await store.page(Filter(model="Heron")))[0].models["base"] == "Heron 1B"


async def test_verdicts_come_with_what_they_were_about(vault: Vault) -> None:
    number = await save(vault, a_record())
    (judged,) = await vault.open_store.verdicts()
    assert (judged.consultation, judged.verdict.winner) == (number, "tuned")
    assert judged.models == {"base": "Heron 1B", "tuned": "Kestrel 1B + adapter"}
    assert judged.hashes == {"base": ("ab" * 32,), "tuned": ("ab" * 32,)}
    assert judged.last and judged.verdict.reasons == ("safety",)


async def test_search_finds_words_wherever_they_stand_in_a_consultation(
    vault: Vault,
) -> None:
    pain = await save(vault, a_record("Crushing chest pain, naïve to opioids?"))
    other = Record()
    a_turn(other, "Rash on the chest?", "Zoster.", "Eczema; give hydrocortisone.")
    rash = await save(vault, other)
    assert await found(vault, "chest") == [rash, pain]
    assert await found(vault, "CHEST aspirin") == [pain]
    assert await found(vault, "naive") == [pain]
    assert await found(vault, '"chest pain"') == [pain]
    assert await found(vault, '"pain chest"') == []
    assert await found(vault, "hydroc") == [rash]
    assert await found(vault, "hydroc* zoster") == [rash]
    assert await found(vault, "hydroc zoster") == []
    assert await found(vault, "measles") == []


async def test_a_snippet_shows_the_place_and_its_turn(vault: Vault) -> None:
    record = a_record()
    a_turn(record, "And the dose?", "Give\x1b[2J aspirin\n300 mg at once.", "None.")
    number = await save(vault, record)
    (hit,) = await vault.open_store.search("300 aspirin")
    saved = await vault.open_store.reopen(number)
    assert hit.turn == saved.turns[saved.record.consultation.turns[1]]
    assert "".join(p.text for p in hit.snippet) == "Give aspirin 300 mg at once."
    assert [p.text for p in hit.snippet if p.found] == ["aspirin", "300"]


@pytest.mark.parametrize(
    "typed",
    [
        *('"', '""', "'", "*", "^chest", "chest*pain", "NEAR(chest, 2)", "a:b", "-x"),
        *(
            "chest OR",
            "AND",
            "NOT x",
            "(",
            ")",
            "{text}: x",
            "+",
            "\0",
            "\ud800",
            ";--",
        ),
        *('"unclosed', 'a""b', "x" * 5000, "a " * 500, "“”", "%_\\", "\x02\x03"),
    ],
)
async def test_nothing_that_is_typed_is_an_error(vault: Vault, typed: str) -> None:
    await save(vault, a_record())
    assert isinstance(await vault.open_store.search(typed), tuple)


def test_what_is_typed_is_words_and_not_a_language() -> None:
    assert terms('chest OR "acute pain" amox* NEAR(a') == (
        '"chest"',
        '"OR"',
        '"acute pain"',
        '"amox"*',
        '"NEAR(a"*',
    )
    assert terms(' * "" -- ') == ()


async def test_a_new_title_is_listed_and_found(vault: Vault) -> None:
    number = await save(vault, a_record())
    store = vault.open_store
    await store.rename(number, "Ward round")
    assert (await store.page())[0].title == "Ward round"
    assert await found(vault, "ward") == [number]
    assert (await store.reopen(number)).record.heading == "Ward round"
    with pytest.raises(RecordsError, match="not in the records"):
        await store.rename(999, "x")


async def test_a_deleted_consultation_leaves_no_word_in_any_page(vault: Vault) -> None:
    kept = await save(vault, a_record("Kept question?"))
    gone = await save(vault, a_record("Zorblatt has xanthochromia?"))
    store = vault.open_store
    counted: list[tuple[int, int, int]] = []

    def count(db: Connection) -> None:
        counted.append(
            (
                db.execute(
                    "SELECT count(*) FROM passage_index_data"
                    " WHERE instr(block, CAST('anthochromia' AS BLOB))"
                ).fetchone()[0],
                db.execute(
                    "SELECT count(*) FROM passage WHERE text LIKE '%xanthochromia%'"
                ).fetchone()[0],
                db.execute("PRAGMA freelist_count").fetchone()[0],
            )
        )

    await store.write([count])
    assert counted[0][0] > 0 and counted[0][1] > 0
    assert await store.delete([gone]) == 1
    assert (vault.folder / "records.db-wal").stat().st_size == 0
    await store.write([count])
    assert counted[1] == (0, 0, 0)
    assert await store.delete([gone]) == 0
    assert await found(vault, "xanthochromia") == []
    assert [s.id for s in await store.page()] == [kept]
    with pytest.raises(RecordsError, match="not in the records any more"):
        await store.reopen(gone)
    await store.write([lambda db: db.execute(CHECK_SEARCH)])


def test_what_deletion_means_on_an_ssd_can_be_shown() -> None:
    assert "SSD" in WHAT_DELETION_MEANS and "backups" in WHAT_DELETION_MEANS


def test_records_of_an_older_version_are_brought_up_to_date(tmp_path: Path) -> None:
    file, key = tmp_path / DATABASE, new_key()
    create_private(file)
    db = connect(file, key)
    migrate(db, file, upto=1)
    assert version_of(db) == 1
    time = milliseconds(now())
    db.execute(
        "INSERT INTO consultation VALUES (1,'Old',?,?,NULL,0,'base',0,0)", (time,) * 2
    )
    db.execute("INSERT INTO passage (consultation, text) VALUES (1, 'An old title')")
    migrate(db, file)
    assert version_of(db) == VERSION == len(STEPS)
    match = "SELECT rowid FROM passage_index WHERE passage_index MATCH 'old'"
    assert len(db.execute(match).fetchall()) == 1
    db.execute("DELETE FROM consultation")
    assert db.execute(match).fetchall() == []
    db.execute(CHECK_SEARCH)
    db.close()


def test_a_step_that_fails_leaves_the_older_version_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medassist.records import migrations

    file, bad = tmp_path / DATABASE, tmp_path / "3.sql"
    bad.write_text("CREATE TABLE new (a);\nCREATE TABLE new (a);\n")
    create_private(file)
    db = connect(file, new_key())
    migrate(db, file, upto=1)
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, bad))
    with pytest.raises(RecordsError):
        migrate(db, file, upto=len(STEPS) + 1)
    assert version_of(db) == 1
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    assert ("passage",) in names and ("new",) not in names
    assert ("passage_index",) not in names
    db.close()


async def test_records_of_a_later_version_are_told_and_left_alone(vault: Vault) -> None:
    await vault.open_store.write([lambda db: db.execute("PRAGMA user_version = 99")])
    await vault.lock()
    for read_only in (False, True):
        with pytest.raises(RecordsError, match="later version"):
            await vault.unlock(PASSPHRASE, read_only=read_only)


async def test_the_list_says_how_many_branches_there_are(vault: Vault) -> None:
    record = a_record()
    second = a_turn(record, "Two?", "x", "y")
    recorder = Recorder(vault, record)
    assert await recorder.save()
    (line,) = await vault.open_store.page()
    assert (line.turns, line.branches) == (2, 1)
    record.consultation.branch_off(second)
    a_turn(record, "Two, but otherwise?", "x", "y")
    assert await recorder.save()
    (line,) = await vault.open_store.page()
    assert (line.turns, line.branches) == (3, 2)


async def test_a_hit_is_quoted_from_where_all_stands_before_where_a_part_does(
    vault: Vault,
) -> None:
    record = a_record("Fever?")
    a_turn(record, "A rash?", "nothing", "fever with a rash")
    await save(vault, record)
    (hit,) = await vault.open_store.search("fever rash")
    assert "".join(piece.text for piece in hit.snippet) == "fever with a rash"
