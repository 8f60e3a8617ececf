"""Saved consultations: found, gone on with, renamed, deleted."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import OptionList

from tests.stubs.engine import FakeEngines
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    fill,
    kept,
    open_history,
    type_in,
    until_saved,
)
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


async def test_a_consultation_is_found_by_its_words_and_gone_on_with(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever since Monday?", "A cough, dry?", "Fever and a rash?")
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        history = await open_history(pilot, app)
        await until(pilot, lambda: "A cough, dry?" in seen(app.screen))
        assert "Heron 1B and Kestrel 1B" in seen(app.screen)
        assert "B is better" in seen(app.screen)
        await pilot.press(*"fever ras")
        # "fever r" finds one too; Enter opens nothing before all is searched for.
        await until(pilot, lambda: history._searched == "fever ras")
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
        await app.consult.session.record.lock()
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
        await app.consult.session.record.lock()
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
        await app.consult.session.record.lock()
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
