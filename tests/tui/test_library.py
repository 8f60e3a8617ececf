from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input, TextArea

from medassist.core.settings_file import settings_file
from medassist.library.model_import import import_path
from medassist.library.pairs import make_pair, set_asked
from medassist.library.registry import NamedPair, PaneSettings, load_registry
from medassist.session.choice import Choice
from medassist.session.default_pair import opening
from medassist.tui.dialogs.pane_settings import PaneSettingsDialog
from medassist.tui.line import Line
from medassist.tui.screens.models import ModelsScreen
from tests.finetune.data.fetch.server import FakeService, serving
from tests.library.hub import REPO, HubFiles
from tests.stubs.engine import FakeEngines
from tests.tiny_models import TinyPair, write_pair
from tests.tui.page import Page, opened

SIZE = (120, 40)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyPair:
    return write_pair(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def no_ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "none"))


@pytest.fixture
def mine(home: Path, tiny: TinyPair) -> Choice:
    """A pair of the library, as the program opens it."""
    import_path(tiny.base, "the-base")
    import_path(tiny.plain, "the-adapter")
    make_pair("mine", "the-base", None, "the-adapter")
    return opening(None, None, None, "mine")


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubFiles]:
    with serving(FakeService()) as own, serving(FakeService()) as storage:
        monkeypatch.setenv("HF_ENDPOINT", own.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield HubFiles(own, storage)


async def open_models(page: Page) -> ModelsScreen:
    await page.press("ctrl+g")
    await page.until_on_top(ModelsScreen)
    screen = page.screen
    assert isinstance(screen, ModelsScreen)
    await page.until(lambda: screen.library.rows and not screen.library._busy)
    return screen


async def choose(page: Page, screen: ModelsScreen, name: str) -> None:
    names = [row.key for row in screen.library.rows]
    screen.query_one("#list", DataTable).move_cursor(row=names.index(name))
    await page.until(lambda: screen.chosen and screen.chosen.key == name)
    await page.pause()


def told(screen: ModelsScreen) -> str:
    return screen.query_one("#working", Line).text


async def until_told(page: Page, screen: ModelsScreen, words: str) -> None:
    await page.until(lambda: words in told(screen) and not screen.library._busy)


async def test_the_list_says_what_there_is_and_a_pair_is_chosen_by_enter(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, Choice(), size=SIZE) as page:
        screen = await open_models(page)
        await page.until_seen("starter *")
        shown = page.seen
        for words in ("mine", "the-base", "Quant.", "fits", "Verified"):
            assert words in shown
        await choose(page, screen, "mine")
        await page.until_seen("KV caches of both panes")
        await page.press("enter")
        await page.until_back()
        await page.until(lambda: page.session.pair.choice == mine)
        assert engines.last.files.adapter == mine.adapter


async def test_names_stand_in_full_from_the_first_drawing_on(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, Choice(), size=SIZE) as page:
        screen = await open_models(page)
        first = screen.library.rows[0]
        name = "a-name-longer-than-any-before"
        screen.library.rows = [replace(first, cells=(name, *first.cells[1:]))]
        screen.show()
        table = screen.query_one("#list", DataTable)
        drawn = table.render_lines(table.size.region)
        assert name in "".join(line.text for line in drawn)


async def test_a_question_goes_out_with_the_panes_own_prompt_and_sampling(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, mine, size=SIZE) as page:
        screen = await open_models(page)
        await choose(page, screen, "mine")
        await page.press("s")
        await page.until_on_top(PaneSettingsDialog)
        await page.until(lambda: page.screen.query("#tuned-stop"))
        page.screen.query_one("#tuned-system", TextArea).text = "Be brief."
        page.screen.query_one("#tuned-temperature", Input).value = "0.2"
        page.screen.query_one("#tuned-stop", Input).value = "###|Question:"
        page.screen.query_one("#base-max_tokens", Input).value = "0"
        await page.push("#keep")
        await until_told(page, screen, "Kept with mine")
        await page.press("escape")
        await page.until_back()
        await page.until(lambda: page.session.pair.system("tuned") == "Be brief.")
        await page.ask("One?")
        asked = engines.last.asked[0]
        assert len(engines.made) == 1
        first = asked["tuned"].messages[0]
        assert (first.role, first.content) == ("system", "Be brief.")
        assert asked["tuned"].sampling.temperature == 0.2
        assert asked["tuned"].sampling.stop == ("###", "Question:")
        assert asked["base"].messages[0].role == "user"
        assert asked["base"].sampling.max_tokens is None
        await page.until(lambda: engines.last.prepared)
        assert engines.last.prepared[-1]["tuned"][0].role == "system"


async def test_a_value_that_cannot_be_is_said_in_the_form(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, mine, size=SIZE) as page:
        screen = await open_models(page)
        await choose(page, screen, "mine")
        await page.press("s")
        await page.until(lambda: page.screen.query("#tuned-stop"))
        page.screen.query_one("#base-top_p", Input).value = "7"
        await page.push("#keep")
        await page.until_seen("A, top-p")
        assert load_registry().pair("mine").panes == {}


async def test_a_model_is_imported_by_its_path(
    engines: FakeEngines, home: Path, tiny: TinyPair
) -> None:
    async with opened(engines, Choice(), size=(80, 24)) as page:
        screen = await open_models(page)
        await page.press("i")
        await page.until(lambda: page.screen is not screen)
        await page.until(lambda: page.screen.query(Input))
        page.screen.query_one(Input).value = str(tiny.merged)
        await page.press("enter")
        await until_told(page, screen, "In the library: Tiny-merged")
        assert screen.chosen is not None and screen.chosen.key == "Tiny-merged"
        await page.press("i")
        await page.until(lambda: page.screen is not screen)
        await page.until(lambda: page.screen.query(Input))
        page.screen.query_one(Input).value = "/no/such.gguf"
        await page.press("enter")
        await until_told(page, screen, "no such file")


async def test_a_pair_can_become_the_default_be_checked_and_forgotten(
    engines: FakeEngines, mine: Choice
) -> None:
    async with opened(engines, Choice(), size=SIZE) as page:
        screen = await open_models(page)
        await choose(page, screen, "mine")
        await page.press("d")
        await until_told(page, screen, "opens with mine")
        assert opening(None, None, None, None) == mine
        await page.press("c")
        await until_told(page, screen, "mine: 1 finding")
        assert "would be doubled" in page.seen
        await page.press("x")
        await page.push("#yes")
        await until_told(page, screen, "forgotten")
        assert "mine" not in load_registry().pairs
        assert opening(None, None, None, None) == Choice()


async def test_what_does_not_fit_is_said_before_it_is_loaded(
    engines: FakeEngines, mine: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medassist.library import fit

    monkeypatch.setattr(fit, "available_memory", lambda: 1_000_000)
    async with opened(engines, Choice(), size=SIZE) as page:
        page.session.pair._stamps = {}
        monkeypatch.setattr(type(page.session.pair), "freed", 0)
        screen = await open_models(page)
        await choose(page, screen, "mine")
        assert "does not fit" in page.seen
        await page.press("enter")
        await page.until(lambda: "Enter again" in told(screen))
        assert len(engines.made) == 1
        await page.press("enter")
        await page.until(lambda: len(engines.made) == 2)


async def test_a_download_asks_twice_and_ends_in_the_list(
    engines: FakeEngines, hub: HubFiles, tiny: TinyPair
) -> None:
    hub.add("tiny.gguf", tiny.base.read_bytes())
    async with opened(engines, Choice(), size=SIZE) as page:
        screen = await open_models(page)
        await page.press("p")
        await page.until(lambda: page.screen.query(Input))
        assert "127.0.0.1" in page.seen
        assert hub.own.asked == []
        page.screen.query_one(Input).value = REPO
        await page.press("enter")
        await page.until_seen("Download this?")
        assert "tiny.gguf" in page.seen and "Hosts:" in page.seen
        assert hub.storage.asked == []
        await page.push("#yes")
        await until_told(page, screen, "its sha256 is the Hub's")
        assert "tiny" in load_registry().models
        assert screen.chosen is not None and screen.chosen.key == "tiny"


async def test_the_proxy_of_the_settings_is_named_before_anything_is_asked(
    engines: FakeEngines, hub: HubFiles
) -> None:
    async with opened(engines, Choice(), size=SIZE) as page:
        screen = await open_models(page)
        settings_file().write_text('[network]\nproxy = "http://me:geheim@box:1"\n')
        await page.press("p")
        await page.until(lambda: page.screen.query(Input))
        assert "through the proxy http://…@box:1" in " ".join(page.seen.split())
        await page.press("escape")
        settings_file().write_text('[network]\nproxy = "me:geheim@box"\n')
        await page.press("p")
        await until_told(page, screen, "no address of a proxy")
        assert "geheim" not in told(screen)
    assert hub.own.asked == []


async def test_files_that_are_named_can_be_kept_as_a_pair(
    engines: FakeEngines, home: Path, tiny: TinyPair
) -> None:
    async with opened(engines, Choice(), size=SIZE) as page:
        await open_models(page)
        await page.press("f")
        await page.until(lambda: page.screen.query("#name"))
        page.screen.query_one("#base", Input).value = str(tiny.base)
        page.screen.query_one("#tuned", Input).value = str(tiny.merged)
        page.screen.query_one("#name", Input).value = "kept"
        await page.push("#load")
        await page.until(lambda: page.session.pair.choice.pair == "kept")
        files = load_registry().files("kept")
        assert files is not None and files.tuned == tiny.merged


async def test_the_starter_pair_can_have_settings_too(
    engines: FakeEngines, home: Path
) -> None:
    set_asked("starter", NamedPair(panes={"base": PaneSettings(system="S.")}))
    async with opened(engines, Choice(), size=SIZE) as page:
        await page.ask("One?")
        assert engines.last.asked[0]["base"].messages[0].content == "S."
