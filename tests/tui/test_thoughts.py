"""What a model thought, on the screen: folded, and no part of its answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Checkbox, Input, OptionList

from medassist.core.values import PANES
from medassist.tui.dialogs.export import Export
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.page import copied_by, opened

THOUGHT = "Perhaps [b]900 mg[/b]?"


async def test_a_thought_is_folded_unfolds_by_a_key_and_is_neither_copied_nor_sent(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = copied_by(monkeypatch, works=True)
    engines.script.thoughts = {"base": THOUGHT}
    async with opened(engines) as page:
        await page.ask("One?")
        await page.until_seen("thought for 3 tokens")
        assert THOUGHT not in page.seen
        await page.press("alt+t")
        await page.until_seen(THOUGHT)
        await page.press("alt+t")
        await page.until(lambda: THOUGHT not in page.seen)
        await page.press("f9")
        await page.until(lambda: bool(copied))
        assert answer_of("base", "One?") in copied[-1] and "900" not in copied[-1]
        await page.ask("Two?")
        asked = engines.last.asked[-1]["base"].messages
        assert not any("900" in message.content for message in asked)


async def test_a_long_thought_that_is_unfolded_says_at_its_end_how_it_is_folded(
    engines: FakeEngines,
) -> None:
    engines.script.thoughts = {
        pane: "\n".join(f"Step {n}." for n in range(90)) for pane in PANES
    }
    async with opened(engines, size=(80, 24)) as page:
        await page.ask("One?")
        await page.press("alt+t")
        await page.until_seen("Step 1.")
        await page.until_seen("more below")
        await page.focus(page.consult.panes["base"].turns)
        await page.press("end")
        await page.until_seen("end of the thought · alt+t folds it")
        assert answer_of("base", "One?") in page.seen
        await page.press("alt+t")
        await page.until(lambda: "end of the thought" not in page.seen)
        assert answer_of("base", "One?") in page.seen


async def test_who_thinks_is_not_told_while_names_are_hidden(
    engines: FakeEngines,
) -> None:
    engines.script.thoughts = {"base": THOUGHT}
    async with opened(engines) as page:
        await page.press("alt+h")
        await page.until_seen("BLIND")
        await page.ask("One?")
        assert "thought for" not in page.seen
        await page.press("alt+t")
        await page.until_told("is hidden with their names")


async def test_a_key_has_models_think_or_not_where_their_templates_let_one_choose(
    engines: FakeEngines,
) -> None:
    engines.script.thinking_switch = True
    async with opened(engines) as page:
        await page.press("alt+m")
        await page.until_told("answer without thinking first")
        assert "not thinking" in page.seen
        await page.ask("One?")
        await page.press("alt+m")
        await page.until_told("The models think before they answer")
        await page.ask("Two?")
        asked = [
            questions["base"].sampling.thinking for questions in engines.last.asked
        ]
        assert asked == ["off", "on"]


async def test_models_without_a_choice_are_said_to_have_none(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.press("alt+m")
        await page.until_told("do not let one choose")
        await page.ask("One?")
        assert engines.last.asked[-1]["base"].sampling.thinking == "auto"


@pytest.mark.parametrize("wanted", [True, False])
async def test_thoughts_are_exported_where_that_is_asked_for(
    engines: FakeEngines, tmp_path: Path, wanted: bool
) -> None:
    engines.script.thoughts = {"base": THOUGHT}
    file = tmp_path / "out.json"
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+s")
        await page.until_on_top(Export)
        page.screen.query_one("#form", OptionList).highlighted = 3
        await page.pause()
        page.screen.query_one("#thoughts", Checkbox).value = wanted
        page.screen.query_one("#file", Input).value = str(file)
        await page.push("#write")
        await page.until_back()
    answers = json.loads(file.read_text())["turns"][0]["answers"]
    expected = [THOUGHT, None] if wanted else [None, None]
    assert [answer.get("thought") for answer in answers] == expected


async def test_nothing_is_offered_where_no_model_thought(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+s")
        await page.until_on_top(Export)
        assert not page.screen.query_one("#thoughts").display
