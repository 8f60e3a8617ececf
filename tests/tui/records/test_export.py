"""A consultation as a file, and the sign-off."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.export import Export
from medassist.tui.dialogs.identifiers import IdentifierWarning
from tests.stubs.engine import FakeEngines
from tests.tui.records.steps import SIZE
from tests.tui.running import (
    app_with,
    ask,
    push,
    seen,
    until,
    until_answered,
    until_ready,
)


async def open_export(pilot: Pilot[int], app: ConsultApp, file: Path) -> None:
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, Export))
    app.screen.query_one("#file", Input).value = str(file)


async def test_an_unsaved_consultation_is_exported_as_a_draft_for_its_user_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        assert "DRAFT, UNREVIEWED" in seen(app.screen)
        await push(pilot, "#write")
        await until(pilot, lambda: app.screen is app.consult)
    assert "DRAFT, UNREVIEWED" in file.read_text()
    assert "Is it sepsis?" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (tmp_path / "data" / "records").exists()


async def test_a_file_that_is_there_is_replaced_only_when_the_user_says_so(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    file.write_text("mine")
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        await push(pilot, "#write")
        await until(pilot, lambda: "is there already" in seen(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Export))
        assert file.read_text() == "mine"
        await push(pilot, "#write")
        await push(pilot, "#yes")
        await until(pilot, lambda: app.screen is app.consult)
    assert "Is it sepsis?" in file.read_text()


async def test_identifiers_are_warned_of_and_replaced_in_the_export_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.json"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Mrs Johnson, MRN 48151623, has fever. What now?")
        await until_answered(pilot, app)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Export))
        app.screen.query_one("#form", OptionList).highlighted = 3
        await pilot.pause()
        assert app.screen.query_one("#file", Input).value.endswith(".json")
        app.screen.query_one("#file", Input).value = str(file)
        await push(pilot, "#write")
        await until(pilot, lambda: isinstance(app.screen, IdentifierWarning))
        assert not file.exists()
        await pilot.press("r")
        await until(pilot, lambda: app.screen is app.consult)
        assert "Johnson" in seen(app.screen)
    text = file.read_text()
    assert "Johnson" not in text and "48151623" not in text
    held = json.loads(text)
    assert held["reviewed"] is False
    assert {w["outcome"] for w in held["identifiers_warned_of"]} == {"replaced"}


async def test_a_sign_off_is_asked_for_and_stands_in_the_export(
    engines: FakeEngines, tmp_path: Path
) -> None:
    app = app_with(engines)
    file = tmp_path / "out.md"
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Is it sepsis?")
        await until_answered(pilot, app)
        await open_export(pilot, app, file)
        await push(pilot, "#sign-off")
        await push(pilot, "#yes")
        await until(pilot, lambda: "Signed off 20" in seen(app.screen))
        await push(pilot, "#write")
        await until(pilot, lambda: app.screen is app.consult)
    assert "Reviewed and signed off" in file.read_text()
    assert "DRAFT" not in file.read_text()
