"""Loading the models again with more context, where they allow it."""

from __future__ import annotations

import pytest

from medassist.core.values import EngineOptions, PairFiles, TooLong
from medassist.library import fit
from medassist.tui.dialogs.decision import Decision
from tests.stubs.engine import FakeEngines
from tests.tui.page import opened


@pytest.fixture(autouse=True)
def a_kilobyte_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def need(files: PairFiles, options: EngineOptions) -> fit.Need:
        return fit.Need(10**9, 1_000 * (options.context or 0), 0)

    monkeypatch.setattr(fit, "need", need)


async def test_a_key_offers_more_context_with_its_memory_and_keeps_the_consultation(
    engines: FakeEngines,
) -> None:
    engines.script.trained_context = 131_072
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("alt+z")
        await page.until_on_top(Decision)
        assert "32,768 tokens of context?" in page.seen
        assert "about 28.7 MB more" in page.seen
        await page.push("#yes")
        await page.until(lambda: len(engines.made) == 2)
        await page.until(lambda: page.session.pair.state == "ready")
        assert engines.last.options.context == 32_768
        await page.ask("Two?")
        assert len(engines.last.asked[-1]["base"].messages) == 3
        await page.press("alt+z")
        await page.until_seen("131,072 tokens of context?")


async def test_where_a_question_does_not_fit_a_button_loads_with_more(
    engines: FakeEngines,
) -> None:
    engines.script.trained_context = 8_192
    engines.script.too_long = lambda pane, _: TooLong(pane, 5_000, 3_584, ())
    async with opened(engines) as page:
        await page.send("Long?")
        await page.until_seen("Load again with 8,192 (about 4.1 MB)")
        engines.script.too_long = None
        await page.push("#besides")
        await page.until(lambda: len(engines.made) == 2)
        await page.until(lambda: page.session.pair.state == "ready")
        assert page.consult.composer.text == "Long?"
        assert engines.last.options.context == 8_192


async def test_models_at_their_limit_are_said_to_be_there(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.press("alt+z")
        await page.until_told("all the context that they allow")
