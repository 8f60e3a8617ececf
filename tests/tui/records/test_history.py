"""Saved consultations: found, gone on with, renamed, deleted."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import OptionList

from tests.stubs.engine import FakeEngines
from tests.tui.page import opened
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    fill,
    kept,
    open_history,
    type_in,
    until_saved,
)


async def test_a_consultation_is_found_by_its_words_and_gone_on_with(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever since Monday?", "A cough, dry?", "Fever and a rash?")
    async with opened(engines, size=SIZE) as page:
        history = await open_history(page)
        await page.until_seen("A cough, dry?")
        assert "Heron 1B and Kestrel 1B" in page.seen
        assert "B is better" in page.seen
        await page.press(*"fever ras")
        # "fever r" finds one too; Enter opens nothing before all is searched for.
        await page.until(lambda: history._searched == "fever ras")
        await page.until_seen("1 found")
        assert "cough" not in page.seen and "rash" in page.seen
        await page.press("enter")
        await page.until_back()
        await page.until_seen("Do an ECG first.")
        await page.until_told("goes to Tiny base and Tiny tuned")
        await page.ask("And then?")
        asked = engines.last.asked[-1]["base"].messages
        assert [m.content for m in asked] == [
            "Fever and a rash?",
            "Give aspirin.",
            "And then?",
        ]
        await until_saved(page)
        await page.session.record.lock()
    assert len((await kept(folder))[0].consultation.turns) == 2


async def test_the_history_is_filtered_by_verdict(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    async with opened(engines, size=SIZE) as page:
        await open_history(page)
        await page.until_seen("Fever?")
        await page.press("f6")  # A
        await page.until(lambda: "Fever?" not in page.seen)
        assert "verdict: A is better" in page.seen
        await page.press("f6")  # B
        await page.until_seen("Fever?")


async def test_a_consultation_is_renamed_and_deleted(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, "Fever?")
    async with opened(engines, size=SIZE) as page:
        await open_history(page)
        await page.until_seen("Fever?")
        await page.press("f2")
        await page.until(lambda: page.screen.query("#take"))
        await type_in(page, "Bed 7")
        await page.until(lambda: "Bed 7" in page.seen and page.screen.query("#list"))
        await page.press("f8")
        await page.until_seen("On an SSD")
        await page.push("#yes")
        await page.until_seen("nothing is saved yet")
        await page.press("escape")
        await page.until_back()
        await page.session.record.lock()
    assert await kept(folder) == []


async def test_what_is_deleted_while_it_is_on_the_screen_does_not_come_back(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.ask("One?")
        await until_saved(page)
        await open_history(page)
        await page.until_seen("on the screen")
        await page.press("f8")
        await page.push("#yes")
        await page.until_seen("nothing is saved yet")
        await page.press("escape")
        await page.until_back()
        await page.until(lambda: "One?" not in page.seen)
        await page.ask("Two?")
        await until_saved(page)
        await page.session.record.lock()
    (record,) = await kept(folder)
    assert [turn.question for turn in record.consultation.turns] == ["Two?"]


async def test_a_long_history_comes_page_by_page(
    engines: FakeEngines, folder: Path
) -> None:
    await fill(folder, *(f"Question number {n}?" for n in range(60)))
    async with opened(engines, size=SIZE) as page:
        await open_history(page)
        await page.until_seen("50 of 60")
        entries = page.screen.query_one(OptionList)
        assert entries.option_count == 51
        entries.focus()
        await page.press("end", "enter")
        await page.until(lambda: entries.option_count == 60)
