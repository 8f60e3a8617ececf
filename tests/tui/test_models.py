from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.widgets import Input

from medassist.session.choice import Choice
from medassist.tui.dialogs.choose import ChooseModels, completed
from medassist.tui.screens.models import ModelsScreen
from tests.stubs.engine import FakeEngines, answer_of
from tests.tiny_models import TinyPair, write_pair
from tests.tui.page import Page, opened


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


def test_a_path_is_completed_to_folders_and_models_alone(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "notes.txt").touch()
    (tmp_path / "models" / "nurse.gguf").touch()
    (tmp_path / ".hidden").mkdir()
    assert completed(f"{tmp_path}/mo") == f"{tmp_path}/models/"
    assert completed(f"{tmp_path}/models/n") == f"{tmp_path}/models/nurse.gguf"
    assert completed(f"{tmp_path}/x") is None
    (tmp_path / "models" / "nurse.gguf").rename(tmp_path / "models" / ".n.gguf")
    assert completed(f"{tmp_path}/models/") is None
    assert completed("~nobody-of-that-name/x") is None
    assert completed("") is None


async def name_files(page: Page) -> None:
    """Go to where files are named by hand."""
    await page.press("ctrl+g")
    await page.until_on_top(ModelsScreen)
    await page.until_seen("starter")
    await page.press("f")
    await page.until_on_top(ChooseModels)
    await page.until(lambda: page.screen.query("#base"))


async def test_other_models_can_be_chosen_and_the_text_stays(
    engines: FakeEngines, pair: TinyPair
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await name_files(page)
        await page.until_seen("/models/base.gguf")
        page.screen.query_one("#base", Input).value = str(pair.base)
        page.screen.query_one("#tuned", Input).value = str(pair.merged)
        page.screen.query_one("#adapter", Input).value = ""
        engines.script.name = "Other"
        await page.push("#load")
        await page.until_seen("Other base")
        assert engines.made[0].state == "closed"
        assert engines.last.files.tuned == pair.merged
        await page.until(lambda: page.session.pair.state == "ready")
        await page.ask("Two?")
        assert answer_of("base", "One?") in page.seen
        assert "from here: Other base  Q8_0" in page.seen
        assert len(engines.last.asked[0]["base"].messages) == 3


async def test_a_question_asked_while_other_models_load_names_who_answers_it(
    engines: FakeEngines, pair: TinyPair
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await name_files(page)
        page.screen.query_one("#base", Input).value = str(pair.base)
        page.screen.query_one("#adapter", Input).value = str(pair.activated)
        engines.script.name = "Other"
        engines.script.hold_loading = asyncio.Event()
        await page.push("#load")
        await page.until_seen("loading 43 %")
        await page.send("Two?")
        await page.until(lambda: page.seen.count("Two?") == 2)
        assert "from here" not in page.seen
        engines.script.hold_loading.set()
        await page.until_answered(2)
        shown = page.seen
        assert "from here: Other base  Q8_0" in shown
        assert f"from here: Other tuned + {pair.activated.stem}  Q8_0" in shown


async def test_a_file_that_is_no_model_is_refused_on_the_screen_where_it_was_named(
    engines: FakeEngines, tmp_path: Path
) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("This is a letter and no model. " * 9)
    async with opened(engines) as page:
        await name_files(page)
        for wrong, said in [
            (text, "text.gguf"),
            (tmp_path / "none.gguf", "none.gguf"),
            (tmp_path, "folder"),
        ]:
            page.screen.query_one("#adapter", Input).value = ""
            page.screen.query_one("#base", Input).value = str(wrong)
            await page.push("#load")
            await page.until(lambda said=said: said in problem(page.screen))
        await page.press("escape")
        await page.until_on_top(ModelsScreen)
        await page.press("escape")
        await page.until_back()
        assert page.session.pair.state == "ready"
        assert len(engines.made) == 1


def problem(screen) -> str:
    return str(screen.query_one("#problem").render())


async def test_a_pair_that_cannot_be_loaded_gives_the_way_back_to_the_former(
    engines: FakeEngines, pair: TinyPair
) -> None:
    engines.script.bad_file = pair.base
    async with opened(engines) as page:
        await name_files(page)
        page.screen.query_one("#base", Input).value = str(pair.base)
        page.screen.query_one("#adapter", Input).value = ""
        await page.push("#load")
        await page.until_seen("the file ends in the middle")
        assert "Back to base.gguf and adapter.gguf" in page.seen
        await page.push("#back")
        await page.until_seen("Tiny tuned + adapter")
        await page.until_ready()


async def test_the_starter_pair_is_marked_wherever_it_answers(
    engines: FakeEngines,
) -> None:
    async with opened(engines, Choice(), size=(80, 24)) as page:
        await page.ask("One?")
        shown = " ".join(page.seen.split())
        assert "not for clinical use" in shown
        assert "demonstration" in shown
        source = page.views("base")[0].turn.shown("base")
        assert source is not None and source.source.demonstration


async def test_a_fact_of_a_model_that_takes_several_lines_stays_in_its_column(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 40)) as page:
        await page.press("ctrl+g")
        await page.until_seen("made of")
        lines = page.seen.splitlines()
        at = next(n for n, line in enumerate(lines) if "made of" in line)
        column = lines[at].index("weights")
        assert lines[at + 1][:column].strip() == ""
        assert lines[at + 1][column:].strip()
