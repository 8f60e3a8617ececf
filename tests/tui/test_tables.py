"""Tables and code of an answer: every character is seen at every width."""

from __future__ import annotations

import asyncio
import re

import pytest
from textual.content import Content
from textual.widgets import Static

from medassist.tui import themes
from medassist.tui.consult.answer_table import AnswerTable, Laid
from medassist.tui.consult.markdown import AnswerMarkdown
from medassist.tui.consult.review_lines import ReviewLines
from medassist.tui.consult.turn_view import AnswerText
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened

DRUGS = """\
| Drug | Dose | Route | Interval | Max per day | Renal | Pregnancy | Source |
|---|---|---|---|---|---|---|---|
| Paracetamol | 1000 mg | oral | every 6 h | 4000 mg | safe | safe | BNF |
| Ibuprofen | 400 mg | oral | every 8 h | 1200 mg | avoid | avoid | BNF |
"""
NOTES = """\
| Drug | Adult dose | Note |
|---|---:|---|
| Methotrexate | 12.5 mg | never daily; **folic acid** 5 mg |
| Piperacillintazobactamhydrochloridemonohydrate | 4.5 g | `IV` |
| 阿莫西林阿莫西林 | 500毫克 | 每8小时一次 |
"""
SEQUENCE = "ACGT" * 60
CODE = f"```python\ndef dose(x):\n    return {SEQUENCE}  # 1000 mg\n```"
INDENTED = f"Code:\n\n    dose = {SEQUENCE} 1200 mg\n"
HEADING = "### " + " ".join(f"heading{n}" for n in range(40))
WIDTHS = [(44, 60), (80, 60), (100, 60), (130, 60), (180, 60)]


async def shown(engines: FakeEngines, answer: str, size: tuple[int, int]) -> str:
    """What the user sees of the answer in pane A, spaces and lines aside."""
    engines.script.answers = {"base": [answer], "tuned": ["Nothing."]}
    async with opened(engines, size=size) as page:
        await page.ask("Which dose?")
        page.consult.panes["base"].turns.focus()
        await page.press("f2")  # the pane alone, so that all of it is seen
        view = page.views("base")[-1]
        assert not view.query(AnswerText).first().query(".plain"), "shown as plain text"
        return bare(drawn(page))


def drawn(page: Page) -> str:
    """All the lines of the first pane's answer, cut at the edges of its window."""
    text = page.views("base")[-1].query_one(AnswerText)
    lines: list[str] = []
    for part in text.query("*"):
        if part.is_container or not part.size:
            continue
        seen_of_it = part.region.intersection(part.parent.region)  # type: ignore[union-attr]
        width = min(part.region.width, seen_of_it.width)
        strips = part.render_lines(part.outer_size.region)
        lines += [strip.crop(0, width).text for strip in strips]
    return "\n".join(lines)


def bare(text: str) -> str:
    return re.sub(r"[\s│─┼:|]", "", text)


def words(markdown: str) -> list[str]:
    return [bare(word) for word in re.findall(r"[^\s|*`#]+", markdown) if bare(word)]


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("table", [DRUGS, NOTES], ids=["wide", "long words"])
async def test_every_character_of_every_cell_is_seen(
    engines: FakeEngines, table: str, size: tuple[int, int]
) -> None:
    text = await shown(engines, table, size)
    assert "…" not in text
    for line in table.splitlines()[2:]:
        for cell in line.strip("|").split("|"):
            plain = bare(cell.replace("*", "").replace("`", ""))
            # A cell beside others goes on in the next line, between theirs.
            assert plain in text or all(word in text for word in words(cell)), cell


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize(
    "answer", [CODE, INDENTED, HEADING], ids=["fence", "indented", "heading"]
)
async def test_long_lines_of_code_and_headings_go_on_in_the_next(
    engines: FakeEngines, answer: str, size: tuple[int, int]
) -> None:
    text = await shown(engines, answer, size)
    body = answer.removeprefix("```python").removeprefix("### ").replace("```", "")
    assert bare(body.replace("Code:", "")) in text


async def test_doses_that_begin_with_one_digit_are_told_apart_in_a_narrow_pane(
    engines: FakeEngines,
) -> None:
    text = await shown(engines, DRUGS, (80, 60))
    assert "Dose1000mg" in text and "Maxperday1200mg" in text


async def test_a_cell_beyond_the_last_heading_is_not_left_out(
    engines: FakeEngines,
) -> None:
    table = "| Drug | Dose |\n|---|---|\n| Aspirin | 75 mg | 300 mg \\| stat | po |\n"
    text = await shown(engines, table, (100, 60))
    assert "75mg300mgstatpo" in text


async def test_a_break_within_a_cell_begins_a_line(engines: FakeEngines) -> None:
    table = "| Drug | Dose |\n|---|---|\n| Digoxin | 125 mcg<br>once a day |"
    engines.script.answers = {"base": [table], "tuned": ["Nothing."]}
    async with opened(engines) as page:
        await page.ask("Which dose?")
        lines = page.seen.splitlines()
        assert any("Digoxin │ 125 mcg" in line for line in lines)
        assert any("│ once a day" in line for line in lines)
        assert "<br>" not in page.seen


async def test_a_product_is_not_taken_for_emphasis(engines: FakeEngines) -> None:
    text = await shown(
        engines, "Give 2*5*10 mg, 5 mg/kg*70 kg*2; **5** mg *now*.", (100, 60)
    )
    assert "Give2*5*10mg,5mg/kg*70kg*2;5mgnow." in text


async def test_lists_so_deep_that_no_room_is_left_are_shown_as_plain_text(
    engines: FakeEngines,
) -> None:
    deep = "\n".join(
        "    " * depth + f"{depth + 1}. give {depth + 11} mg" for depth in range(8)
    )
    engines.script.answers = {"base": [deep], "tuned": ["Nothing."]}
    async with opened(engines, size=(44, 60)) as page:
        await page.ask("Which dose?")
        await page.until_seen("18 mg")


async def test_a_table_that_is_written_bit_by_bit_ends_as_one_that_came_whole(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(120, 60)) as page:
        whole, bits = AnswerText(), AnswerText()
        await page.consult.mount(whole, bits)
        await whole.draw(f"Doses:\n\n{DRUGS}\nEnd.")
        text = f"Doses:\n\n{DRUGS}\nEnd."
        for end in range(0, len(text) + 1, 7):
            await bits.draw(text[:end])
        await bits.draw(text)
        a, b = whole.query_one(AnswerTable), bits.query_one(AnswerTable)
        assert a.texts == b.texts
        assert len(a.texts) == 2


async def test_who_looks_at_an_answer_while_it_is_drawn_waits_for_its_rows(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(120, 60)) as page:
        text = AnswerText()
        await page.consult.mount(text)
        rows: list[str] = []

        async def look() -> None:
            await text.draw(DRUGS)
            rows.extend(str(part.content) for part in text.query(Static))
            rows.extend(row for table in text.query(AnswerTable) for row in table.texts)

        await asyncio.gather(text.draw(DRUGS), look())
        assert any("1000 mg" in row for row in rows)


@pytest.mark.parametrize("size", [(44, 60), (80, 60), (160, 60)])
async def test_doses_in_cells_are_marked_and_stay_so(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    answer = f"{DRUGS}\n```\nDigoxin 125 micrograms\n```\n"
    engines.script.answers = {"base": [answer], "tuned": ["Nothing."]}
    async with opened(engines, size=size) as page:
        await page.ask("Which dose?")
        view = page.views("base")[-1]
        await page.until(lambda: view.query_one(ReviewLines).display)
        table = view.query_one(AnswerTable)
        cell = table.rows[0][1]
        assert any(
            span.style for span in cell.spans if cell.plain[span.start : span.end]
        )
        page.app.theme = next(t.name for t in themes.THEMES if t.name != page.app.theme)
        await page.pause()
        styles = {
            segment.text.strip(): segment.style
            for part in view.query_one(AnswerMarkdown).query("*")
            if not part.is_container and part.size
            for strip in part.render_lines(part.outer_size.region)
            for segment in strip
            if segment.style
        }
        for amount in ("1000 mg", "125 micrograms"):
            style = next(s for text, s in styles.items() if amount in text)
            assert style.bold and style.underline, amount


SIGNS = """\
| Drug | Note |
|---|---|
| Nitrofurantoin | avoid when eGFR < 45 or with age ≥ 80 and 100 mg doses |
"""


@pytest.mark.parametrize("width", range(30, 60, 2))
def test_neither_a_sign_nor_a_unit_parts_from_its_number(width: int) -> None:
    cells = [
        tuple(Content(cell.strip()) for cell in line.strip("|").split("|"))
        for line in SIGNS.splitlines()
    ]
    said = Laid(cells[0], (cells[2],)).at(width).plain
    for whole in ("< 45", "≥ 80", "100 mg"):
        assert whole in said, said
