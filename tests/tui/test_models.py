from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from medassist.session.choice import Choice
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.choose import ChooseModels, completed
from medassist.tui.screens.models import Models
from tests.stubs.engine import FakeEngines, answer_of
from tests.tiny_models import TinyPair, write_pair
from tests.tui.running import (
    app_with,
    ask,
    push,
    seen,
    until,
    until_answered,
    until_ready,
    views,
)

SIZE = (120, 36)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


def test_a_pair_without_a_file_is_the_starter_pair_with_both_panes() -> None:
    assert Choice().is_starter
    assert Choice().panes == ("base", "tuned")
    assert Choice(tuned=Path("t")).panes == ("tuned",)


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(adapter=Path("a")), "needs the base model"),
        (Choice(Path("b"), Path("t"), Path("a")), "not both"),
    ],
)
def test_files_that_are_no_pair_are_refused_with_the_reason(
    choice: Choice, why: str
) -> None:
    assert why in (choice.problem or "")


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


async def name_files(pilot: Pilot[int], app: ConsultApp) -> None:
    """Go to where files are named by hand."""
    await pilot.press("ctrl+g")
    await until(pilot, lambda: isinstance(app.screen, Models))
    await until(pilot, lambda: "starter" in seen(app.screen))
    await pilot.press("f")
    await until(pilot, lambda: isinstance(app.screen, ChooseModels))
    await until(pilot, lambda: app.screen.query("#base"))


async def test_other_models_can_be_chosen_and_the_text_stays(
    engines: FakeEngines, pair: TinyPair
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await name_files(pilot, app)
        await until(pilot, lambda: "/models/base.gguf" in seen(app.screen))
        app.screen.query_one("#base", Input).value = str(pair.base)
        app.screen.query_one("#tuned", Input).value = str(pair.merged)
        app.screen.query_one("#adapter", Input).value = ""
        engines.script.name = "Other"
        await push(pilot, "#load")
        await until(pilot, lambda: "Other base" in seen(app.screen))
        assert engines.made[0].state == "closed"
        assert engines.last.files.tuned == pair.merged
        await until(pilot, lambda: app.consult.session.pair.state == "ready")
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app, turns=2)
        assert answer_of("base", "One?") in seen(app.screen)
        assert "from here: Other base  Q8_0" in seen(app.screen)
        assert len(engines.last.asked[0]["base"].messages) == 3


async def test_a_question_asked_while_other_models_load_names_who_answers_it(
    engines: FakeEngines, pair: TinyPair
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await name_files(pilot, app)
        app.screen.query_one("#base", Input).value = str(pair.base)
        app.screen.query_one("#adapter", Input).value = str(pair.activated)
        engines.script.name = "Other"
        engines.script.hold_loading = asyncio.Event()
        await push(pilot, "#load")
        await until(pilot, lambda: "loading 43 %" in seen(app.screen))
        await ask(pilot, app, "Two?")
        await until(pilot, lambda: seen(app.screen).count("Two?") == 2)
        assert "from here" not in seen(app.screen)
        engines.script.hold_loading.set()
        await until_answered(pilot, app, turns=2)
        shown = seen(app.screen)
        assert "from here: Other base  Q8_0" in shown
        assert f"from here: Other tuned + {pair.activated.stem}  Q8_0" in shown


async def test_a_file_that_is_no_model_is_refused_on_the_screen_where_it_was_named(
    engines: FakeEngines, tmp_path: Path
) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("This is a letter and no model. " * 9)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await name_files(pilot, app)
        for wrong, said in [
            (text, "text.gguf"),
            (tmp_path / "none.gguf", "none.gguf"),
            (tmp_path, "folder"),
        ]:
            app.screen.query_one("#adapter", Input).value = ""
            app.screen.query_one("#base", Input).value = str(wrong)
            await push(pilot, "#load")
            await until(pilot, lambda said=said: said in problem(app.screen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Models))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert app.consult.session.pair.state == "ready"
        assert len(engines.made) == 1


def problem(screen) -> str:
    return str(screen.query_one("#problem").render())


async def test_a_pair_that_cannot_be_loaded_gives_the_way_back_to_the_former(
    engines: FakeEngines, pair: TinyPair
) -> None:
    app = app_with(engines)
    engines.script.bad_file = pair.base
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await name_files(pilot, app)
        app.screen.query_one("#base", Input).value = str(pair.base)
        app.screen.query_one("#adapter", Input).value = ""
        await push(pilot, "#load")
        await until(pilot, lambda: "the file ends in the middle" in seen(app.screen))
        assert "Back to base.gguf and adapter.gguf" in seen(app.screen)
        await push(pilot, "#back")
        await until(pilot, lambda: "Tiny tuned + adapter" in seen(app.screen))
        await until_ready(pilot, app)


async def test_the_starter_pair_is_marked_wherever_it_answers(
    engines: FakeEngines,
) -> None:
    app = app_with(engines, Choice())
    async with app.run_test(size=(80, 24)) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        shown = " ".join(seen(app.screen).split())
        assert "not for clinical use" in shown
        assert "demonstration" in shown
        source = views(app, "base")[0].turn.shown("base")
        assert source is not None and source.source.demonstration
