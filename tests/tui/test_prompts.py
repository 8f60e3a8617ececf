from __future__ import annotations

import stat
from pathlib import Path

from textual.widgets import OptionList, TextArea

from medassist.tui.screens.prompts import PromptLibrary
from tests.stubs.engine import FakeEngines
from tests.tui.running import app_with, push, seen, until, until_ready

SIZE = (120, 36)


async def test_a_prompt_goes_into_the_composer_with_its_first_place_selected(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press(*"Please: ", "alt+y")
        await until(pilot, lambda: "SOAP note" in seen(app.screen))
        listed = app.screen.query_one("#list", OptionList)
        names = [listed.get_option_at_index(n).id for n in range(listed.option_count)]
        assert len(names) == 6
        for _ in range(names.index("soap-note")):
            await pilot.press("down")
        await until(pilot, lambda: "[[age, sex]]" in seen(app.screen))
        await pilot.press("enter")
        composer = app.consult.composer
        await until(pilot, lambda: "Write a SOAP note" in composer.text)
        assert composer.text.startswith("Please: Write a SOAP note")
        assert composer.selected_text == "[[age, sex]]"
        await pilot.press(*"62 f", "alt+j")
        await until(pilot, lambda: composer.selected_text == "[[reason]]")
        assert "Patient: 62 f\n" in composer.text


async def test_a_shipped_prompt_is_edited_in_a_file_of_the_users_own(
    engines: FakeEngines, home: Path
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+y")
        await until(pilot, lambda: "Differential" in seen(app.screen))
        assert not (home / "config" / "prompts").exists()
        await pilot.press("e")
        editor = app.screen.query_one("#editor", TextArea)
        await until(pilot, lambda: editor.has_focus and editor.text)
        editor.text = "Think of [[one thing]]."
        await push(pilot, "#keep")
        await until(pilot, lambda: "Think of [[one thing]]." in seen(app.screen))
        (file,) = (home / "config" / "prompts").iterdir()
        assert file.name == "differential.md"
        assert file.read_text().endswith("Think of [[one thing]].\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, PromptLibrary))
        assert app.consult.composer.text == "Think of [[one thing]]."


async def test_esc_leaves_editing_first_and_the_composer_as_it_was(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press(*"abc", "alt+y")
        await until(pilot, lambda: "Differential" in seen(app.screen))
        await pilot.press("e")
        await until(pilot, lambda: app.screen.query_one("#editor").has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen.query_one("#list").has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert app.consult.composer.text == "abc"
