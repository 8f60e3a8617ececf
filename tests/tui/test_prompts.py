from __future__ import annotations

import stat
from pathlib import Path

from textual.widgets import OptionList, TextArea

from medassist.tui.screens.prompt_library import PromptLibrary
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened


async def test_a_prompt_goes_into_the_composer_with_its_first_place_selected(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.press(*"Please: ", "alt+y")
        await page.until_seen("SOAP note")
        listed = page.screen.query_one("#list", OptionList)
        names = [listed.get_option_at_index(n).id for n in range(listed.option_count)]
        assert len(names) == 6
        for _ in range(names.index("soap-note")):
            await page.press("down")
        await page.until_seen("[[age, sex]]")
        await page.press("enter")
        composer = page.consult.composer
        await page.until(lambda: "Write a SOAP note" in composer.text)
        assert composer.text.startswith("Please: Write a SOAP note")
        assert composer.selected_text == "[[age, sex]]"
        await page.press(*"62 f", "alt+j")
        await page.until(lambda: composer.selected_text == "[[reason]]")
        assert "Patient: 62 f\n" in composer.text


async def test_a_shipped_prompt_is_edited_in_a_file_of_the_users_own(
    engines: FakeEngines, home: Path
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.press("alt+y")
        await page.until_seen("Differential")
        assert not (home / "config" / "prompts").exists()
        await page.press("e")
        editor = page.screen.query_one("#editor", TextArea)
        await page.until(lambda: editor.has_focus and editor.text)
        editor.text = "Think of [[one thing]]."
        await page.push("#keep")
        await page.until_seen("Think of [[one thing]].")
        (file,) = (home / "config" / "prompts").iterdir()
        assert file.name == "differential.md"
        assert file.read_text().endswith("Think of [[one thing]].\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await page.press("enter")
        await page.until(lambda: not isinstance(page.screen, PromptLibrary))
        assert page.consult.composer.text == "Think of [[one thing]]."


async def test_esc_leaves_editing_first_and_the_composer_as_it_was(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.press(*"abc", "alt+y")
        await page.until_seen("Differential")
        await page.press("e")
        await page.until(lambda: page.screen.query_one("#editor").has_focus)
        await page.press("escape")
        await page.until(lambda: page.screen.query_one("#list").has_focus)
        await page.press("escape")
        await page.until_back()
        assert page.consult.composer.text == "abc"
