from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Static

from medassist.core.values import PaneName
from medassist.tui.consult.review_lines import ReviewLines
from tests.stubs.engine import FakeEngines
from tests.tui.page import Page, opened

QUESTION = "What dose of digoxin?"
RIGHT = "Give **digoxin 125 micrograms** orally once daily; eGFR first."
WRONG = "Give digoxin 125 mg orally once daily. See NICE NG196."


def below(page: Page, pane: PaneName) -> str:
    lines = page.views(pane)[-1].query_one(ReviewLines)
    return str(lines.render()) if lines.display else ""


async def test_doses_that_are_far_apart_are_named_in_both_panes(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [RIGHT], "tuned": [WRONG]}
    async with opened(engines) as page:
        await page.ask(QUESTION)
        for pane in ("base", "tuned"):
            await page.until(lambda pane=pane: "1000 times apart" in below(page, pane))
        assert "the usual dose of digoxin is" in below(page, "tuned")
        assert "the usual dose of digoxin is" not in below(page, "base")
        # Which model it is stands in none of it.
        said = (below(page, "base") + below(page, "tuned")).lower()
        assert "tiny" not in said and "tuned" not in said and "base" not in said


def head(page: Page, pane: PaneName) -> str:
    return page.consult.panes[pane].header.text


async def test_that_nothing_is_cited_is_said_once_and_then_by_a_sign_in_the_head(
    engines: FakeEngines,
) -> None:
    cites = [WRONG, "Nothing here.", "Nothing there."]
    async with opened(engines) as page:
        for turn, tuned in enumerate(cites):
            engines.script.answers = {"base": [RIGHT], "tuned": [tuned]}
            await page.ask(f"{turn}?")
            wanted = tuned == WRONG
            await page.until(lambda: "no source" in head(page, "base"))
            await page.until(
                lambda wanted=wanted: ("no source" in head(page, "tuned")) is not wanted
            )
        once: dict[PaneName, list[int]] = {"base": [0], "tuned": [1]}
        for pane, expected in once.items():
            said = [
                turn
                for turn, view in enumerate(page.views(pane))
                if "No source" in str(view.query_one(ReviewLines).render())
            ]
            assert said == expected
        await page.press("ctrl+n")
        await page.push("#yes")
        await page.until(lambda: not page.turns)
        await page.until(lambda: "no source" not in head(page, "base"))


async def test_an_empty_line_parts_what_is_said_of_an_answer_from_it(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [WRONG], "tuned": ["Rest."]}
    async with opened(engines) as page:
        await page.ask(QUESTION)
        await page.until_seen("Check: ")
        assert below(page, "base").startswith("\nCheck: ")
        await page.until(lambda: below(page, "tuned").startswith("\nNo source: "))


MANY = (
    "Give paracetamol 10 g, methotrexate 15 mg daily, KCl 40 mmol IV push, insulin "
    "10U, morphine 100 mg IV, warfarin 5.0 mg and digoxin .25 mg QD."
)


async def test_every_warning_can_be_read_where_there_are_more_than_are_said_at_first(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [MANY], "tuned": ["Rest."]}
    async with opened(engines, size=(120, 50)) as page:
        await page.press("alt+i")
        await page.until_told("stands there in full")
        await page.ask(QUESTION)
        await page.until(lambda: "more warnings · alt+i" in below(page, "base"))
        review = page.views("base")[-1].query_one(ReviewLines).review
        assert review is not None
        last = review.warnings[-1]
        assert last not in below(page, "base")
        await page.press("alt+i")
        await page.until(lambda: last in below(page, "base"))
        assert below(page, "base").count("Check: ") == len(review.warnings)
        await page.pilot.click(page.views("base")[-1].query_one(ReviewLines))
        await page.until(lambda: "more warnings" in below(page, "base"))


async def test_no_source_stands_below_an_answer_that_cites_nothing(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [RIGHT], "tuned": [WRONG]}
    async with opened(engines) as page:
        await page.send(QUESTION)
        await page.until(lambda: "No source: this answer" in below(page, "base"))
        await page.until(lambda: "Unverified" in below(page, "tuned"))
        assert "NICE NG196" in below(page, "tuned")
        lines = page.seen.splitlines()
        dose = next(i for i, line in enumerate(lines) if "125 micrograms" in line)
        source = next(i for i, line in enumerate(lines) if "No source" in line)
        assert dose < source


@pytest.mark.parametrize(
    "answer",
    [
        "Give digoxin 125 micrograms orally once daily.",
        "1. First\n2. Give *digoxin 125 micrograms* orally once daily.",
        "| drug | dose |\n|---|---|\n| digoxin | 125 micrograms orally once daily |",
        "```\ndigoxin 125 micrograms orally once daily\n```",
    ],
    ids=["paragraph", "list", "table", "code"],
)
async def test_doses_are_marked_in_the_text_without_colours_too(
    engines: FakeEngines, answer: str
) -> None:
    engines.script.answers = {"base": [answer], "tuned": ["Nothing."]}
    async with opened(engines) as page:
        await page.send(QUESTION)
        await page.until(lambda: below(page, "base"))
        await page.pause()
        strips = page.screen._compositor.render_strips()
        styles = {
            segment.text: segment.style
            for strip in strips
            for segment in strip
            if segment.style
        }
        amount = next(s for text, s in styles.items() if "125 micrograms" in text)
        assert amount.bold and amount.underline
        often = next(s for text, s in styles.items() if "once daily" in text)
        assert often.underline


async def test_nothing_is_said_of_an_answer_that_is_still_written(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    engines.script.answers = {"base": [RIGHT, " "], "tuned": [WRONG, " "]}
    async with opened(engines) as page:
        await page.send(QUESTION)
        await page.until_seen("125 micrograms")
        assert below(page, "base") == below(page, "tuned") == ""
        engines.script.hold.set()
        await page.until(lambda: "1000 times" in below(page, "base"))


async def test_a_weight_said_in_an_earlier_question_is_known(
    engines: FakeEngines,
) -> None:
    answer = ["Ketamine 1 mg/kg iv."]
    engines.script.answers = {"base": answer, "tuned": answer}
    async with opened(engines) as page:
        await page.send("A man with a broken wrist")
        await page.until(lambda: "no weight is given" in below(page, "base"))
        await page.until_answered()
        engines.script.answers = {"base": answer, "tuned": answer}
        await page.ask("He weighs 70 kg")
        await page.until(lambda: page.views("base")[-1].query_one(ReviewLines).review)
        assert "weight" not in below(page, "base")
        engines.script.answers = {"base": answer, "tuned": answer}
        await page.ask("And now?")
        await page.until(lambda: page.views("base")[-1].query_one(ReviewLines).review)
        assert "weight" not in below(page, "base")


async def test_what_an_answer_holds_for_the_terminal_is_not_obeyed_when_marked(
    engines: FakeEngines,
) -> None:
    evil = "Digoxin 125 mg daily [b]\x1b[2J [/b] PMID 12345678\x1b]52;c;eA==\x07"
    engines.script.answers = {"base": [evil], "tuned": [evil]}
    async with opened(engines) as page:
        await page.send(QUESTION)
        await page.until(lambda: "PMID 12345678" in below(page, "base"))
        text = page.seen
        assert "\x1b" not in text and "\x07" not in text and "[b]" in text
        assert page.consult.query(Static)


async def test_in_blind_mode_nothing_below_an_answer_tells_which_model_it_is(
    engines: FakeEngines,
) -> None:
    own = "I am Tiny {}, see Tiny {} et al. 2019. Digoxin 125 {} orally daily. "
    engines.script.answers = {
        "base": [own.format("base", "base", "mg"), " "],
        "tuned": [own.format("tuned", "tuned", "micrograms"), " "],
    }
    async with opened(engines) as page:
        await page.press("alt+h")
        await page.until(lambda: page.consultation.sides.hidden)
        engines.script.hold = asyncio.Event()
        await page.send(QUESTION)
        turns = page.turns
        await page.until(lambda: turns and turns[0].answers("base")[0].text)
        assert below(page, "base") == below(page, "tuned") == ""
        engines.script.hold.set()
        await page.until_answered()
        for pane in ("base", "tuned"):
            await page.until(lambda pane=pane: "1000 times apart" in below(page, pane))
            said = below(page, pane).lower()
            assert not {"tiny", "tuned", "base", "adapter"} & set(said.split())
