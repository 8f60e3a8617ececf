"""What may tell who the patient is, before it is saved."""

from __future__ import annotations

from pathlib import Path

from medassist.tui.dialogs.identifiers import IdentifierWarning
from medassist.tui.dialogs.passphrase import Passphrase
from tests.records.making import PASSPHRASE
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    kept,
    last,
    type_in,
    until_saved,
)


async def test_a_name_is_warned_of_before_it_is_saved_and_can_be_replaced(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.send("Mrs Johnson, MRN 48151623, has fever. What now?")
        await page.until_on_top(IdentifierWarning)
        assert not page.turns
        await page.press("r")
        await page.until_answered()
        await until_saved(page)
        await page.session.record.lock()
    (record,) = await kept(folder)
    question = record.consultation.turns[0].question
    assert "Johnson" not in question and "48151623" not in question
    assert "fever" in question
    assert {w.outcome for w in record.warnings} == {"replaced"}


async def test_who_cancels_the_warning_has_the_question_back(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.send("Mrs Johnson has fever?")
        await page.until_on_top(IdentifierWarning)
        await page.press("escape")
        await page.until_back()
        assert page.consult.composer.text == "Mrs Johnson has fever?"
        assert not page.turns


async def test_who_cancels_the_warning_has_nothing_saved_of_what_was_begun(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.ask("Mrs Johnson has fever?")
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE, PASSPHRASE)
        await page.until_on_top(IdentifierWarning)
        page.consult.answers.draw_lines()
        await page.press("escape")
        await page.until_back()
        await page.until(lambda: page.session.record.store is None)
        assert "not saved" in page.consult.top.text
    assert await kept(folder) == []


async def test_names_in_what_was_begun_are_replaced_before_it_is_saved(
    engines: FakeEngines, folder: Path
) -> None:
    async with opened(engines, size=SIZE) as page:
        await page.ask("Mrs Johnson has fever?")
        await page.press("alt+s")
        await page.until_on_top(Passphrase)
        await type_in(page, PASSPHRASE, PASSPHRASE)
        await page.until_on_top(IdentifierWarning)
        await page.press("r")
        await until_saved(page)
        await page.until_back()
        await page.until(lambda: "Johnson" not in page.seen)
        await page.session.record.lock()
    (record,) = await kept(folder)
    assert "Johnson" not in record.heading
    assert "Johnson" not in last(record.consultation.turns[0], "base").text


async def test_of_questions_in_another_language_that_are_saved_the_user_is_told_once(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=SIZE) as page:
        await begin_records(page)
        await page.send("desde ayer tiene fiebre y mucho dolor en el pecho")
        await page.until_on_top(IdentifierWarning)
        await page.press("k")
        await page.until_answered()
        await page.ask("hoy tiene fiebre y mucho dolor de cabeza")
        assert page.screen is page.consult
