"""A consultation as a file, and the sign-off."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from textual.widgets import Input, OptionList

from medassist.tui.dialogs.export import Export
from medassist.tui.dialogs.identifiers import IdentifierWarning
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened
from tests.tui.records.steps import SIZE


async def open_export(page: Page, file: Path) -> None:
    await page.press("ctrl+s")
    await page.until_on_top(Export)
    page.screen.query_one("#file", Input).value = str(file)


async def test_an_unsaved_consultation_is_exported_as_a_draft_for_its_user_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    file = tmp_path / "out.md"
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it sepsis?")
        await open_export(page, file)
        assert "DRAFT, UNREVIEWED" in page.seen
        await page.push("#write")
        await page.until_back()
    assert "DRAFT, UNREVIEWED" in file.read_text()
    assert "Is it sepsis?" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not (tmp_path / "data" / "records").exists()


async def test_a_file_that_is_there_is_replaced_only_when_the_user_says_so(
    engines: FakeEngines, tmp_path: Path
) -> None:
    file = tmp_path / "out.md"
    file.write_text("mine")
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it sepsis?")
        await open_export(page, file)
        await page.push("#write")
        await page.until_seen("is there already")
        await page.press("escape")
        await page.until_on_top(Export)
        assert file.read_text() == "mine"
        await page.push("#write")
        await page.push("#yes")
        await page.until_back()
    assert "Is it sepsis?" in file.read_text()


async def test_identifiers_are_warned_of_and_replaced_in_the_export_alone(
    engines: FakeEngines, tmp_path: Path
) -> None:
    file = tmp_path / "out.json"
    async with opened(engines, size=SIZE) as page:
        await page.ask("Mrs Johnson, MRN 48151623, has fever. What now?")
        await page.press("ctrl+s")
        await page.until_on_top(Export)
        page.screen.query_one("#form", OptionList).highlighted = 3
        await page.pause()
        assert page.screen.query_one("#file", Input).value.endswith(".json")
        page.screen.query_one("#file", Input).value = str(file)
        await page.push("#write")
        await page.until_on_top(IdentifierWarning)
        assert not file.exists()
        await page.press("r")
        await page.until_back()
        assert "Johnson" in page.seen
    text = file.read_text()
    assert "Johnson" not in text and "48151623" not in text
    held = json.loads(text)
    assert held["reviewed"] is False
    assert {w["outcome"] for w in held["identifiers_warned_of"]} == {"replaced"}


async def test_a_sign_off_is_asked_for_and_stands_in_the_export(
    engines: FakeEngines, tmp_path: Path
) -> None:
    file = tmp_path / "out.md"
    async with opened(engines, size=SIZE) as page:
        await page.ask("Is it sepsis?")
        await open_export(page, file)
        await page.push("#sign-off")
        await page.push("#yes")
        await page.until_seen("Signed off 20")
        await page.push("#write")
        await page.until_back()
    assert "Reviewed and signed off" in file.read_text()
    assert "DRAFT" not in file.read_text()
