"""What a model thought, on the screen: folded, and no part of its answer."""

from __future__ import annotations

import pytest

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
