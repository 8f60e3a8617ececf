"""The buttons of dialogs: each can be seen, however narrow the window."""

from __future__ import annotations

import pytest
from textual.widgets import Button

from medassist.core.values import TooLong
from medassist.tui.dialogs.decision import Decision
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened

NARROW = (60, 20)


def hidden(page: Page) -> list[str]:
    """Buttons on the screen that cannot be seen whole."""
    buttons = [one for one in page.screen.query(Button) if one.display]
    assert buttons
    places = [(one, page.screen.find_widget(one)) for one in buttons]
    return [
        str(one.label)
        for one, place in places
        if place.visible_region != place.region or not place.region
    ]


@pytest.mark.parametrize(
    "key", ["f8", "f10", "ctrl+g", "ctrl+s", "alt+s", "alt+v", "alt+y", "ctrl+n"]
)
async def test_every_button_is_seen_in_a_narrow_window(
    engines: FakeEngines, key: str
) -> None:
    async with opened(engines, size=NARROW) as page:
        await page.ask("One?")
        await page.press(key)
        await page.until(lambda: page.screen is not page.consult)
        await page.until(lambda: not hidden(page))


async def test_three_ways_out_of_a_question_that_is_too_long_stand_below_each_other(
    engines: FakeEngines,
) -> None:
    engines.script.trained_context = 32_768
    async with opened(engines, size=NARROW) as page:
        await page.ask("One?", "Two?")
        engines.script.too_long = lambda pane, _: TooLong(pane, 4000, 3584, (500,) * 2)
        await page.send("Three?")
        await page.until_on_top(Decision)
        await page.until_seen("Load again with")
        await page.until(lambda: not hidden(page))
        lines = {one.region.y for one in page.screen.query(Button)}
        assert len(lines) > 1
