"""No amount is parted from its unit at the end of a line, wherever it is drawn."""

from __future__ import annotations

import re

import pytest
from textual.content import Content

from medassist.tui.consult.flag_panel import panel_lines
from medassist.tui.consult.tied import tied, wrapped
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened

WIDTHS = range(24, 60, 5)
AMOUNTS = (
    "60 mg/kg", "0.05 to 0.5 micrograms/kg/min", "< 94 %", "38.5 °C", "65 mmHg",
    "40 mmol", "1'000 IE", "10 000 units", "3 tablets", "8 hours", "120/80 mmHg",
    "≥ 45 mL/min", ".5 mg", "5 mg per kg",
)  # fmt: skip
PROSE = " then ".join(f"given for this {amount} and" for amount in AMOUNTS)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_amount_that_has_room_in_a_line_is_not_parted(width: int) -> None:
    lines = [line.plain.strip() for line in wrapped(Content(PROSE), width)]
    assert " ".join(lines) == PROSE
    for amount in AMOUNTS:
        if len(amount) <= width:
            assert any(amount in line for line in lines), (amount, lines)


def test_what_is_wider_than_the_line_is_broken_at_its_spaces() -> None:
    lines = [line.plain.strip() for line in wrapped(Content(f"at {AMOUNTS[1]}"), 20)]
    assert lines == ["at 0.05 to 0.5", "micrograms/kg/min"]


def test_numbers_without_a_unit_are_broken_as_other_words() -> None:
    assert tied("in 2024 the answers of 3 models", 80) == (
        "in 2024 the answers of 3 models"
    )


def parted(page: Page) -> list[str]:
    """Lines of the panes that end in a number whose unit is on the next one."""
    found: list[str] = []
    for pane in page.consult.panes.all:
        place = pane.turns.region
        strips = page.screen._compositor.render_strips()[place.y : place.bottom]
        lines = [strip.crop(place.x, place.right).text.strip(" │▌") for strip in strips]
        found += [line for line in lines if re.search(r"(?:\d|[<≥])$", line.strip())]
    return found


@pytest.mark.parametrize("columns", [80, 104, 130])
async def test_no_amount_is_parted_in_what_is_asked_thought_answered_and_said_of_it(
    engines: FakeEngines, columns: int
) -> None:
    drugs = [f"1. Drug{n} {amount} now." for n, amount in enumerate(AMOUNTS)]
    answer = f"### Dose of {PROSE}\n\n{PROSE}\n\n- {PROSE}\n\n> {PROSE}"
    checks = "Give insulin 10U and digoxin .5 mg and warfarin 5.0 mg and 4.0 mg now."
    engines.script.answers = {
        "base": [answer],
        "tuned": ["\n".join(drugs), "\n\n", checks],
    }
    engines.script.thoughts = {"base": PROSE, "tuned": PROSE}
    async with opened(engines, size=(columns, 200)) as page:
        await page.ask(PROSE)
        await page.press("alt+t", "alt+i")
        await page.until_seen("folds it")
        assert parted(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_amount_is_parted_in_a_flag(width: int) -> None:
    lines = panel_lines([("Title", PROSE)], width, 60, lambda text: "alt+r: read")
    text = "\n".join(line.plain for line in lines)
    assert "60 mg/kg" in text and "65 mmHg" in text


async def test_a_text_that_was_selected_is_copied_with_its_spaces(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": ["Give 60 mg/kg now."], "tuned": ["No."]}
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+f")
        await page.press(*"60", "space", *"mg")
        await page.until_seen("1 of 1")
        assert page.screen.get_selected_text() == "60 mg"
