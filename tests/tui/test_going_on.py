"""An answer that its limit cut off: how that is said, and going on with it."""

from __future__ import annotations

import asyncio

from medassist.core.errors import EngineError
from medassist.core.values import TooLong
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.page import Page, foot, opened


def cut_off(page: Page) -> list[str]:
    lines = page.screen.query(".cut-off")
    return [str(line.render()) for line in lines if line.display]


async def test_both_answers_go_on_from_what_is_written_until_their_models_end_them(
    engines: FakeEngines,
) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        assert cut_off(page) == ["… cut off at 6 tokens · alt+c goes on writing"] * 2
        engines.script.stop_reason = "end"
        engines.script.answers = {
            "base": [" And", " more."],
            "tuned": [" No", " more."],
        }
        await page.press("alt+c")
        await page.until_answered()
        base = page.turns[0].shown("base")
        assert base and base.text == f"{answer_of('base', 'One?')} And more."
        assert "And more." in page.seen and cut_off(page) == []
        asked = engines.last.asked[-1]["base"]
        assert asked.written == answer_of("base", "One?")
        assert asked.sampling == engines.last.asked[0]["base"].sampling
        assert base.figures and base.figures.tokens_written == 8
        assert base.figures.gone_on_at == (6,)
        assert len(page.turns[0].answers("base")) == 1
        await page.press("f10")
        await page.until_seen("at 6 tokens; the seed began anew there")


async def test_only_the_pane_that_has_the_focus_goes_on(engines: FakeEngines) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        await page.focus(page.consult.panes["tuned"].turns)
        engines.script.answers = {"tuned": [" More."]}
        await page.press("alt+c")
        await page.until_answered()
        assert list(engines.last.asked[-1]) == ["tuned"]
        assert len(cut_off(page)) == 2
        await page.pilot.click(page.views("base")[0].query_one(".cut-off"))
        await page.until(lambda: list(engines.last.asked[-1]) == ["base"])
        await page.until_answered()


async def test_whole_and_judged_answers_are_not_gone_on_with(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.press("alt+c")
        await page.until_told("nothing to go on with")
        engines.script.stop_reason = "length"
        await page.ask("One?")
        await page.press("f8", "1", "enter")
        await page.until_back()
        assert cut_off(page) == ["… cut off at 6 tokens"] * 2
        await page.press("alt+c")
        await page.until_told("A verdict was given on what stands there; F5 writes")
        assert len(engines.last.asked) == 1


async def test_what_goes_wrong_in_going_on_takes_nothing_away(
    engines: FakeEngines,
) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        engines.script.dies = True
        engines.script.answers = {"base": [" More", " comes."]}
        await page.press("alt+c")
        await page.until_answered()
        base = page.turns[0].shown("base")
        assert base and base.text == f"{answer_of('base', 'One?')} More"
        assert base.cut_off and base.counts
        assert "not gone on with" in foot(page.views("base")[0])
        assert len(cut_off(page)) == 2


async def test_without_room_in_the_context_the_answer_stays_as_it_was(
    engines: FakeEngines,
) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        engines.script.too_long = lambda pane, _: TooLong(pane, 4000, 3584, ())
        await page.press("alt+c")
        await page.until_told("no room left in the context")
        assert page.consult.composer.text == ""
        base = page.turns[0].shown("base")
        assert base and base.cut_off and base.text == answer_of("base", "One?")


async def test_a_stop_keeps_what_was_added(engines: FakeEngines) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        engines.script.hold = asyncio.Event()
        engines.script.answers = {"base": [" More", " comes."]}
        await page.press("alt+c")
        await page.until_seen("More")
        await page.press("escape")
        await page.until_answered()
        base = page.turns[0].shown("base")
        assert base and base.state == "stopped"
        assert base.text == f"{answer_of('base', 'One?')} More"


async def test_while_models_cannot_be_loaded_a_cut_off_answer_still_counts(
    engines: FakeEngines,
) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        engines.last.state = "dead"
        engines.script.load_error = EngineError("no memory")
        await page.press("alt+c")
        await page.until(lambda: page.session.pair.state == "failed")
        await page.until_answered()
        base = page.turns[0].shown("base")
        assert base and base.cut_off and base.counts
