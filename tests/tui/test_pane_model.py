"""Another model in one pane, while the other pane keeps its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.widgets import OptionList

from medassist.core.values import PaneName, Sampling
from medassist.library import fit
from medassist.library.model_import import import_path
from medassist.library.pairs import make_pair, set_asked
from medassist.library.registry import NamedPair, PaneSettings
from medassist.session.choice import Choice
from medassist.session.default_pair import opening
from medassist.tui.dialogs.pane_model import PaneModelDialog
from tests.stubs.engine import FakeEngines, answer_of
from tests.tiny_models import TinyPair, write_pair
from tests.tui.page import Page, opened


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def no_ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "none"))


@pytest.fixture
def mine(home: Path, tiny: TinyPair) -> Choice:
    """A pair of the library, whose tuned pane is asked in a way of its own."""
    import_path(tiny.base, "the-base")
    import_path(tiny.plain, "the-adapter")
    import_path(tiny.merged, "the-merged")
    make_pair("mine", "the-base", None, "the-adapter")
    tuned = PaneSettings(system="Be brief.", sampling=Sampling(temperature=0.2))
    set_asked("mine", NamedPair(panes={"tuned": tuned}))
    return opening(None, None, None, "mine")


async def open_list(page: Page, pane: PaneName) -> PaneModelDialog:
    await page.focus(page.consult.panes[pane].turns)
    await page.press("alt+w")
    await page.until_on_top(PaneModelDialog)
    await page.until_seen("Loads")
    assert isinstance(page.screen, PaneModelDialog)
    return page.screen


async def go_to(page: Page, dialog: PaneModelDialog, name: str) -> None:
    """Have the cursor on the model called `name`."""
    listed = dialog.query_one("#list", OptionList)
    names = [str(option.prompt).split()[0] for option in listed.options]
    listed.highlighted = names.index(name)
    await page.pause()


async def switch(page: Page, pane: PaneName, name: str) -> None:
    await go_to(page, await open_list(page, pane), name)
    await page.press("enter")


async def until_loaded(page: Page, engines: FakeEngines, made: int = 2) -> None:
    await page.until(lambda: len(engines.made) == made)
    await page.until(lambda: page.session.pair.state == "ready")


async def test_the_base_pane_gets_another_model_and_the_adapter_keeps_its_weights(
    engines: FakeEngines, mine: Choice, tiny: TinyPair
) -> None:
    async with opened(engines, mine) as page:
        await page.ask("One?")
        await switch(page, "base", "the-merged")
        await until_loaded(page, engines)
        assert engines.made[0].state == "closed"
        assert engines.last.files.files("base") == (tiny.merged,)
        assert engines.last.files.files("tuned") == (tiny.base, tiny.plain)
        await page.ask("Two?")
        assert answer_of("base", "One?") in page.seen
        asked = engines.last.asked[0]
        assert len(asked["base"].messages) == 3
        assert asked["tuned"].messages[0].content == "Be brief."
        assert asked["tuned"].sampling.temperature == 0.2
        assert asked["base"].sampling.temperature == Sampling().temperature


async def test_a_pane_takes_what_a_named_pair_has_there_with_how_that_is_asked(
    engines: FakeEngines, mine: Choice, tiny: TinyPair
) -> None:
    choice = Choice(base=tiny.base, tuned=tiny.merged)
    async with opened(engines, choice) as page:
        await switch(page, "tuned", "mine")
        await until_loaded(page, engines)
        assert engines.last.files.base == tiny.base
        assert engines.last.files.files("tuned") == (tiny.base, tiny.plain)
        await page.ask("One?")
        assert engines.last.asked[0]["tuned"].messages[0].content == "Be brief."
        assert engines.last.asked[0]["base"].messages[0].role == "user"


async def test_it_is_said_what_is_loaded_and_how_much_memory_both_panes_take(
    engines: FakeEngines, mine: Choice, tiny: TinyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "available_memory", lambda: 8_000_000_000)
    async with opened(engines, mine, size=(80, 24)) as page:
        dialog = await open_list(page, "tuned")
        shown = page.seen
        assert "Another model in pane B" in shown
        assert "Pane A keeps Tiny base" in shown
        await go_to(page, dialog, "the-base")
        assert tiny.base.name in page.seen
        assert "Then both panes take about" in page.seen
        assert "the same weights, which are loaded once" in page.seen
        await go_to(page, dialog, "the-merged")
        assert f"Loads {tiny.merged.name}" in page.seen
        assert "the same weights" not in page.seen


async def test_esc_leaves_all_as_it_was(engines: FakeEngines, mine: Choice) -> None:
    async with opened(engines, mine) as page:
        await page.ask("One?")
        await open_list(page, "base")
        await page.press("escape")
        await page.until_back()
        assert len(engines.made) == 1
        assert page.session.pair.choice == mine
        assert page.session.pair.state == "ready"
        assert page.consult.panes.focused == "base"


async def test_a_model_that_cannot_be_loaded_takes_nothing_away(
    engines: FakeEngines, mine: Choice, tiny: TinyPair
) -> None:
    engines.script.bad_file = tiny.merged
    async with opened(engines, mine) as page:
        await page.ask("One?")
        await switch(page, "base", "the-merged")
        await until_loaded(page, engines, made=3)
        assert "the file ends in the middle" in page.told
        assert "from before are loaded again" in page.told
        assert page.session.pair.choice == mine
        await page.ask("Two?")
        assert len(engines.last.asked[0]["base"].messages) == 3
        assert "from here" not in page.seen


async def test_loading_that_is_stopped_brings_the_former_model_back(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, mine) as page:
        engines.script.hold_loading = asyncio.Event()
        await switch(page, "base", "the-merged")
        await page.until_seen("loading 43 %")
        engines.script.hold_loading = None
        await page.press("escape")
        await until_loaded(page, engines, made=3)
        assert page.session.pair.choice == mine


async def test_what_is_known_to_be_broken_is_said_and_not_loaded(
    engines: FakeEngines, mine: Choice, tiny: TinyPair, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny.merged.read_bytes())
    import_path(broken, "the-broken")
    broken.write_bytes(b"no model")
    async with opened(engines, mine) as page:
        dialog = await open_list(page, "base")
        await go_to(page, dialog, "the-broken")
        assert "cannot be used" in page.seen
        assert "broken.gguf" in page.seen
        await page.press("enter")
        assert page.screen is dialog
        assert len(engines.made) == 1


async def test_what_does_not_fit_is_loaded_only_when_confirmed(
    engines: FakeEngines, mine: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit.Need, "verdict", lambda *_: "does not fit")
    async with opened(engines, mine) as page:
        dialog = await open_list(page, "base")
        await go_to(page, dialog, "the-merged")
        await page.press("enter")
        await page.until_seen("Enter again loads it")
        assert len(engines.made) == 1
        await page.press("enter")
        await until_loaded(page, engines)


async def test_from_the_question_it_is_said_that_a_pane_comes_first(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, mine) as page:
        await page.press("alt+w")
        await page.until_told("Tab goes there")


async def test_while_names_are_hidden_no_pane_gets_another_model(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, mine) as page:
        await page.press("alt+h")
        await page.focus(page.consult.panes["base"].turns)
        await page.press("alt+w")
        await page.until_told("the models stay")


async def test_more_context_later_keeps_the_models_of_both_panes(
    engines: FakeEngines, mine: Choice, tiny: TinyPair
) -> None:
    engines.script.trained_context = 8_192
    async with opened(engines, mine) as page:
        await switch(page, "base", "the-merged")
        await until_loaded(page, engines)
        await page.press("alt+z")
        await page.push("#yes")
        await until_loaded(page, engines, made=3)
        assert engines.last.options.context == 8_192
        assert engines.last.files.files("tuned") == (tiny.base, tiny.plain)
        await page.ask("One?")
        assert engines.last.asked[0]["tuned"].messages[0].content == "Be brief."
