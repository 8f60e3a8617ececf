from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Static

from medassist.core.values import PaneName
from medassist.tui.app import ConsultApp
from medassist.tui.consult.review_lines import ReviewLines
from tests.stubs.engine import FakeEngines
from tests.tui.running import (
    app_with,
    ask,
    seen,
    until,
    until_answered,
    until_ready,
    views,
)

SIZE = (120, 36)
QUESTION = "What dose of digoxin?"
RIGHT = "Give **digoxin 125 micrograms** orally once daily; eGFR first."
WRONG = "Give digoxin 125 mg orally once daily. See NICE NG196."


def below(app: ConsultApp, pane: PaneName) -> str:
    lines = views(app, pane)[-1].query_one(ReviewLines)
    return str(lines.render()) if lines.display else ""


async def test_doses_that_are_far_apart_are_named_in_both_panes(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [RIGHT], "tuned": [WRONG]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, QUESTION)
        await until_answered(pilot, app)
        for pane in ("base", "tuned"):
            await until(pilot, lambda pane=pane: "1000 times apart" in below(app, pane))
        assert "the usual dose of digoxin is" in below(app, "tuned")
        assert "the usual dose of digoxin is" not in below(app, "base")
        # Which model it is stands in none of it.
        said = (below(app, "base") + below(app, "tuned")).lower()
        assert "tiny" not in said and "tuned" not in said and "base" not in said


async def test_no_source_stands_below_an_answer_that_cites_nothing(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [RIGHT], "tuned": [WRONG]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, QUESTION)
        await until(pilot, lambda: "No source: this answer" in below(app, "base"))
        await until(pilot, lambda: "Unverified" in below(app, "tuned"))
        assert "NICE NG196" in below(app, "tuned")
        lines = seen(app.screen).splitlines()
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
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, QUESTION)
        await until(pilot, lambda: below(app, "base"))
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
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
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, QUESTION)
        await until(pilot, lambda: "125 micrograms" in seen(app.screen))
        assert below(app, "base") == below(app, "tuned") == ""
        engines.script.hold.set()
        await until(pilot, lambda: "1000 times" in below(app, "base"))


async def test_a_weight_said_in_an_earlier_question_is_known(
    engines: FakeEngines,
) -> None:
    answer = ["Ketamine 1 mg/kg iv."]
    engines.script.answers = {"base": answer, "tuned": answer}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "A man with a broken wrist")
        await until(pilot, lambda: "no weight is given" in below(app, "base"))
        await until_answered(pilot, app)
        engines.script.answers = {"base": answer, "tuned": answer}
        await ask(pilot, app, "He weighs 70 kg")
        await until_answered(pilot, app, 2)
        await until(pilot, lambda: "No source" in below(app, "base"))
        assert "weight" not in below(app, "base")
        engines.script.answers = {"base": answer, "tuned": answer}
        await ask(pilot, app, "And now?")
        await until_answered(pilot, app, 3)
        await until(pilot, lambda: "No source" in below(app, "base"))
        assert "weight" not in below(app, "base")


async def test_what_an_answer_holds_for_the_terminal_is_not_obeyed_when_marked(
    engines: FakeEngines,
) -> None:
    evil = "Digoxin 125 mg daily [b]\x1b[2J [/b] PMID 12345678\x1b]52;c;eA==\x07"
    engines.script.answers = {"base": [evil], "tuned": [evil]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, QUESTION)
        await until(pilot, lambda: "PMID 12345678" in below(app, "base"))
        text = seen(app.screen)
        assert "\x1b" not in text and "\x07" not in text and "[b]" in text
        assert app.consult.query(Static)


async def test_in_blind_mode_nothing_below_an_answer_tells_which_model_it_is(
    engines: FakeEngines,
) -> None:
    own = "I am Tiny {}, see Tiny {} et al. 2019. Digoxin 125 {} orally daily. "
    engines.script.answers = {
        "base": [own.format("base", "base", "mg"), " "],
        "tuned": [own.format("tuned", "tuned", "micrograms"), " "],
    }
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("alt+h")
        await until(pilot, lambda: app.consult.session.consultation.sides.hidden)
        engines.script.hold = asyncio.Event()
        await ask(pilot, app, QUESTION)
        turns = app.consult.session.consultation.turns
        await until(pilot, lambda: turns and turns[0].answers("base")[0].text)
        assert below(app, "base") == below(app, "tuned") == ""
        engines.script.hold.set()
        await until_answered(pilot, app)
        for pane in ("base", "tuned"):
            await until(pilot, lambda pane=pane: "1000 times apart" in below(app, pane))
            said = below(app, pane).lower()
            assert not {"tiny", "tuned", "base", "adapter"} & set(said.split())
