from __future__ import annotations

from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.consult.verdicts import figures, of_records
from medassist.records.record import Record
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from tests.records.making import a_turn


def questions(branches: tuple[tuple[Turn, ...], ...]) -> list[list[str]]:
    return [[turn.question for turn in branch] for branch in branches]


async def test_branches_that_began_unsaved_are_saved_and_come_back(
    vault: Vault,
) -> None:
    record = Record()
    a_turn(record, "One?", "a", "b")
    second = a_turn(record, "Two?", "c", "d")
    record.consultation.branch_off(second)
    a_turn(record, "Other?", "e", "f")
    recorder = Recorder(vault, record)
    assert await recorder.save()
    assert recorder.id is not None
    saved = await vault.open_store.reopen(recorder.id)
    again = saved.record.consultation
    assert [turn.question for turn in again.turns] == ["One?", "Other?"]
    assert questions(again.branches) == [["One?", "Other?"], ["One?", "Two?"]]
    recorder = Recorder(vault, saved.record, saved)
    assert again.next_branch()
    assert await recorder.save()
    assert recorder.id is not None
    third = await vault.open_store.reopen(recorder.id)
    assert [t.question for t in third.record.consultation.turns] == ["One?", "Two?"]


async def test_an_answer_that_was_taken_over_comes_back_as_such(vault: Vault) -> None:
    record = Record()
    turn = a_turn(record, "One?", "by base", "by tuned")
    turn.judge(Verdict("B", "base", True, now()))
    turn.take_over("tuned")
    recorder = Recorder(vault, record)
    assert await recorder.save()
    assert recorder.id is not None
    saved = await vault.open_store.reopen(recorder.id)
    (again,) = saved.record.consultation.turns
    assert again.taken_over("base") == "tuned"
    (found,) = figures(of_records(await vault.open_store.verdicts()))
    assert (found.pair, found.tuned, found.base) == (
        "Heron 1B / Kestrel 1B + adapter",
        1,
        0,
    )


async def test_verdicts_whose_names_are_hidden_are_not_counted(vault: Vault) -> None:
    from medassist.consult.sides import Sides

    record = Record()
    turn = a_turn(record, "One?", "a", "b")
    turn.judge(Verdict("B", "tuned", True, now()))
    record.sides = Sides("tuned", blind=True)
    assert await Recorder(vault, record).save()
    assert of_records(await vault.open_store.verdicts()) == []
