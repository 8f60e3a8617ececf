"""An answer that is gone on with, in the records: one answer, longer."""

from __future__ import annotations

from dataclasses import replace

from medassist.records.record import Record, now
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from tests.records.making import CONDITIONS, FIGURES, ask, reopened

CUT = replace(FIGURES, ending="length")


async def test_what_is_added_joins_the_answer_that_was_cut_off(vault: Vault) -> None:
    record = Record()
    shown = ask(record, "How much?").shown("base")
    assert shown is not None
    shown.conditions = CONDITIONS
    shown.finish("Give ten", CUT)
    recorder = Recorder(vault, record)
    assert await recorder.save()
    record.signed_off = now()
    assert await recorder.save()
    shown.go_on()
    shown.write(" milli", 2)
    assert await recorder.save()
    shown.write("grams", 3)
    assert await recorder.save()
    shown.finish("Give ten milligrams", replace(FIGURES, tokens_written=4))
    assert await recorder.save()
    assert record.signed_off is None
    turn = (await reopened(vault, recorder.id)).consultation.turns[0]
    (again,) = turn.answers("base")
    assert again.text == "Give ten milligrams" and again.state == "finished"
    assert again.figures == shown.figures
    assert again.figures and again.figures.gone_on_at == (7,)
    assert await vault.open_store.search("milligrams")


async def test_one_cut_off_before_a_restart_is_gone_on_with_after_it(
    vault: Vault,
) -> None:
    record = Record()
    shown = ask(record, "How much?").shown("base")
    assert shown is not None
    shown.finish("Give ten", CUT)
    recorder = Recorder(vault, record)
    assert await recorder.save()
    number = recorder.id
    assert number is not None
    await reopened(vault, number)
    saved = await vault.open_store.reopen(number)
    recorder = Recorder(vault, saved.record, saved)
    again = saved.record.consultation.turns[0].shown("base")
    assert again is not None and again.cut_off
    again.go_on()
    again.write(" milli", 2)
    assert await recorder.save()
    broken = (await reopened(vault, number)).consultation.turns[0].shown("base")
    assert broken is not None
    assert (broken.text, broken.state) == ("Give ten milli", "failed")
