"""What may tell who the patient is, before it is saved."""

from __future__ import annotations

from pathlib import Path

from medassist.tui.dialogs.identifiers import IdentifierWarning
from medassist.tui.dialogs.passphrase import Passphrase
from tests.records.making import PASSPHRASE
from tests.stubs.engine import FakeEngines
from tests.tui.records.steps import (
    SIZE,
    begin_records,
    kept,
    last,
    type_in,
    until_saved,
)
from tests.tui.running import (
    app_with,
    ask,
    seen,
    until,
    until_answered,
    until_ready,
)


async def test_a_name_is_warned_of_before_it_is_saved_and_can_be_replaced(
    engines: FakeEngines, folder: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "Mrs Johnson, MRN 48151623, has fever. What now?")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        assert not app.consult.session.consultation.turns
        await pilot.press("r")
        await until_answered(pilot, app)
        await until_saved(pilot, app)
        await app.consult.session.record.lock()
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
        assert not app.consult.session.consultation.turns


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
        app.consult.answers.draw_lines()
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        await until(pilot, lambda: app.consult.session.record.store is None)
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
        await app.consult.session.record.lock()
    (record,) = await kept(folder)
    assert "Johnson" not in record.heading
    assert "Johnson" not in last(record.consultation.turns[0], "base").text


async def test_of_questions_in_another_language_that_are_saved_the_user_is_told_once(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await begin_records(pilot, app)
        await ask(pilot, app, "desde ayer tiene fiebre y mucho dolor en el pecho")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        await pilot.press("k")
        await until_answered(pilot, app)
        await ask(pilot, app, "hoy tiene fiebre y mucho dolor de cabeza")
        await until_answered(pilot, app, 2)
        assert app.screen is app.consult
