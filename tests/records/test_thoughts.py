"""What a model thought, in the records: kept beside its answer, and no part of it."""

from __future__ import annotations

from dataclasses import replace

from medassist.records.record import Record
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from tests.records.making import FIGURES, a_record, ask, reopened

THOUGHTFUL = replace(FIGURES, tokens_thought=3)


async def test_a_thought_comes_back_with_its_answer_and_is_found_by_no_search(
    vault: Vault,
) -> None:
    record = Record()
    turn = ask(record, "How much?")
    shown = turn.shown("base")
    assert shown is not None
    shown.think("Perhaps nine", 2)
    recorder = Recorder(vault, record)
    assert await recorder.save()
    shown.write("Ten was seen as the answer", 5)
    assert await recorder.save()
    shown.think("Ten was seen as the answer", 5, restart=True)
    shown.write("Give ", 6)
    assert await recorder.save()
    shown.finish("Give 10 mg.", THOUGHTFUL, "Perhaps nine. Ten was seen.")
    assert await recorder.save()
    again = (await reopened(vault, recorder.id)).consultation.turns[0].shown("base")
    assert again is not None
    assert (again.text, again.thought) == ("Give 10 mg.", "Perhaps nine. Ten was seen.")
    assert again.thought_tokens == 3
    assert not await vault.open_store.search("nine")
    assert await vault.open_store.search("Give")


async def test_what_was_thought_before_the_program_ended_is_kept(vault: Vault) -> None:
    record = a_record()
    shown = ask(record, "And then?").shown("base")
    assert shown is not None
    shown.think("Perhaps nine", 2)
    recorder = Recorder(vault, record)
    assert await recorder.save()
    again = (await reopened(vault, recorder.id)).consultation.turns[1].shown("base")
    assert again is not None
    assert (again.state, again.text, again.thought) == ("failed", "", "Perhaps nine")
