from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from medassist.consult import sides
from medassist.consult.sides import Sides
from medassist.core.values import PaneName
from medassist.tui.app import ConsultApp
from medassist.tui.consult.answer_text import AnswerText
from medassist.tui.dialogs.verdict import VerdictPanel
from medassist.tui.screens.differences import DifferencesScreen
from medassist.tui.screens.verdicts import Verdicts
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.running import (
    app_with,
    ask,
    copied_by,
    focus,
    foot,
    push,
    seen,
    told,
    until,
    until_answered,
    until_ready,
    views,
)

SIZE = (120, 36)


@pytest.fixture(params=["base", "tuned"])
def side_a(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PaneName:
    """Which pane chance puts on side A."""
    pane: PaneName = request.param
    monkeypatch.setattr(
        "medassist.tui.consult.comparison.drawn", lambda: Sides(pane, blind=True)
    )
    return pane


async def blind(pilot: Pilot[int], app: ConsultApp) -> None:
    await until_ready(pilot, app)
    await pilot.press("alt+h")
    await until(pilot, lambda: "BLIND" in seen(app.screen))
    await pilot.pause()


async def judge(pilot: Pilot[int], app: ConsultApp, *keys: str) -> None:
    await pilot.press("f8")
    await until(pilot, lambda: isinstance(app.screen, VerdictPanel))
    await pilot.press(*keys, "enter")
    await until(pilot, lambda: app.screen is app.consult)
    await until(pilot, lambda: app.consult.session.consultation.turns[-1].verdicts)
    await pilot.pause()


def test_both_sides_are_drawn() -> None:
    assert {sides.drawn().side_a for _ in range(200)} == {"base", "tuned"}
    assert sides.drawn().hidden


async def test_a_line_parts_the_panes_on_whichever_side_they_stand(
    engines: FakeEngines, side_a: PaneName
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        left, right = app.consult.query_one("#panes").children
        assert left.id == app.consult.panes[side_a].id
        assert left.styles.border_right[0] == "vkey"
        assert right.styles.border_right[0] == ""


async def test_blind_hides_names_and_what_tells_them_until_the_verdict(
    engines: FakeEngines, side_a: PaneName
) -> None:
    engines.script.name = "Cardiolex"
    engines.script.stop_reason = "length"
    engines.script.answers = {
        "base": ["I am Cardiolex base. ", "Rest."],
        "tuned": ["As ChatGPT I say: rest. ", "And drink."],
    }
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await blind(pilot, app)
        await ask(pilot, app, "What helps?")
        await until_answered(pilot, app)
        shown = seen(app.screen)
        for leak in ("Cardiolex", "ChatGPT", "base", "tuned", "adapter", "Q8_0"):
            assert leak not in shown, leak
        for leak in ("tok/s", "TTFT", "tokens", "812"):
            assert leak not in shown, leak
        assert "cut off at its limit" in shown
        await pilot.press("f10")
        await until(pilot, lambda: "hidden until the verdict" in told(app))
        assert app.screen is app.consult
        (drawn,) = [view.query_one(AnswerText).shown for view in views(app, side_a)]
        await judge(pilot, app, "1", "7")
        shown = seen(app.screen)
        head = shown.splitlines()[1]
        other = "tuned" if side_a == "base" else "base"
        assert head.index(f" A  {side_a} ") < head.index(f" B  {other} ")
        assert "Cardiolex" in shown and "BLIND" not in shown
        assert "I am Cardiolex base." in shown
        (verdict,) = app.consult.session.consultation.turns[0].verdicts
        assert (verdict.winner, verdict.blind, verdict.reasons) == (
            side_a,
            True,
            ("safety",),
        )
        assert "▒▒▒" in drawn


async def test_blind_answers_appear_together(
    engines: FakeEngines, side_a: PaneName
) -> None:
    hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        engines.script.hold = hold
        await ask(pilot, app, "One?")
        base = app.consult.panes["base"]
        await until(
            pilot,
            lambda: any(
                answer.text
                for turn in app.consult.session.consultation.turns
                for answer in turn.answers("base")
            ),
        )
        await until(pilot, lambda: base.status == "writing")
        assert app.consult.panes["tuned"].status == "writing"
        assert "The base" not in seen(app.screen)
        hold.set()
        await until_answered(pilot, app)
        assert seen(app.screen).count("answers to 'One?'") == 2


async def test_copying_while_blind_tells_no_name(
    engines: FakeEngines, side_a: PaneName, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.script.name = "Cardiolex"
    engines.script.answers = {"base": ["Cardiolex says."], "tuned": ["No."]}
    texts = copied_by(monkeypatch, works=True)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("f9")
        await until(pilot, lambda: texts)
        first = "▒▒▒ says." if side_a == "base" else "No."
        second = "No." if side_a == "base" else "▒▒▒ says."
        assert texts == [f"A\n{first}\n\nB\n{second}"]


async def test_a_consultation_that_has_begun_cannot_be_made_blind(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("alt+h")
        await until(pilot, lambda: "has begun" in told(app))
        assert not app.consult.session.consultation.sides.blind


async def test_notices_of_the_models_wait_for_the_verdict(
    engines: FakeEngines, side_a: PaneName
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        engines.script.notices = ("Tiny tuned has no chat template.",)
        app.consult.loader.load()
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        assert "chat template" not in told(app)
        await judge(pilot, app, "3")
        await until(pilot, lambda: "chat template" in told(app))


async def test_a_blind_verdict_stays_and_the_next_consultation_is_blind_again(
    engines: FakeEngines, side_a: PaneName
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, VerdictPanel))
        await pilot.press("enter")
        await until(pilot, lambda: "Choose first" in seen(app.screen))
        await pilot.press("1", "4", "enter")
        await until(pilot, lambda: app.consult.session.consultation.turns[0].verdicts)
        assert (
            app.consult.session.consultation.turns[0].verdicts[0].choice == "both poor"
        )
        await pilot.press("f8")
        await until(pilot, lambda: "and stays" in told(app))
        await pilot.press("ctrl+n")
        await push(pilot, "#yes")
        await until(pilot, lambda: not app.consult.session.consultation.turns)
        assert app.consult.session.consultation.sides.hidden


async def test_escape_gives_no_verdict_and_shows_no_names(
    engines: FakeEngines, side_a: PaneName
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await blind(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, VerdictPanel))
        await pilot.press("2", "escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert app.consult.session.consultation.sides.hidden
        assert app.consult.session.consultation.turns[0].verdicts == ()


async def test_there_is_no_verdict_on_an_answer_that_is_missing(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"tuned": [" "]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("f8")
        await until(pilot, lambda: "an answer of both models" in told(app))


async def test_verdicts_are_counted_and_written_for_a_study(
    engines: FakeEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "What of Mrs Quill?")
        await until_answered(pilot, app)
        await judge(pilot, app, "2", "5", "8")
        await pilot.press("alt+v")
        await until(pilot, lambda: isinstance(app.screen, Verdicts))
        await until(pilot, lambda: "1 verdict: tuned 1, base 0" in seen(app.screen))
        assert "Tiny base / Tiny tuned + adapter  (names seen)" in seen(app.screen)
        for said in ("Written to", "is there already"):
            await push(pilot, "#csv")
            await until(pilot, lambda: app.screen.query("Input"))
            app.screen.query_one(Input).value = str(tmp_path / "v.csv")
            await pilot.press("enter")
            await until(pilot, lambda said=said: said in seen(app.screen))
    file = tmp_path / "v.csv"
    assert file.stat().st_mode & 0o777 == 0o600
    line = file.read_text().splitlines()[1]
    assert ",base,tuned,no,B,tuned,accuracy;style," in line
    assert "Quill" not in file.read_text()


async def test_differences_show_doses_first_and_the_heads_are_marked(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {
        "base": ["Rest in bed. ", "Give amoxicillin 500 mg three times daily."],
        "tuned": ["Drink water. ", "Give amoxicillin 250 mg three times daily."],
    }
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "What helps?")
        await until_answered(pilot, app)
        await until(pilot, lambda: seen(app.screen).count("≠ doses (F4)") == 2)
        await pilot.press("f4")
        await until(pilot, lambda: "Doses that differ (1)" in seen(app.screen))
        lines = seen(app.screen).splitlines()
        both = next(line for line in lines if "500 mg" in line)
        assert "250 mg" in both
        assert "says nothing like it" in seen(app.screen)
        await pilot.resize_terminal(80, 24)
        await until(
            pilot,
            lambda: (
                not any(
                    "500 mg" in line and "250 mg" in line
                    for line in seen(app.screen).splitlines()
                )
            ),
        )
        await pilot.press("f4")
        await until(pilot, lambda: not isinstance(app.screen, DifferencesScreen))


async def test_answers_that_do_not_contradict_each_other_are_not_marked(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "What helps?")
        await until_answered(pilot, app)
        assert "≠" not in seen(app.screen)


async def test_an_edited_question_is_a_branch_and_the_old_one_is_a_key_away(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app, turns=2)
        await pilot.press("alt+n")
        assert app.consult.composer.text == "Two?"
        await pilot.press("alt+n")
        assert app.consult.composer.text == "One?"
        await until(pilot, lambda: "editing" in seen(app.screen))
        await ask(pilot, app, "Other?")
        await until_answered(pilot, app, turns=1)
        assert len(engines.last.asked[-1]["base"].messages) == 1
        shown = seen(app.screen)
        assert "Other?" in shown and "Two?" not in shown and "branch 2 of 2" in shown
        await pilot.press("alt+o")
        await until(pilot, lambda: "Two?" in seen(app.screen))
        assert "branch 1 of 2" in seen(app.screen)


async def test_escape_leaves_the_editing(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("alt+n", "escape")
        await until(pilot, lambda: app.consult.composer.text == "")
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app, turns=2)
        assert len(app.consult.session.consultation.branches) == 1


async def test_one_answer_goes_on_in_both_panes(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await focus(pilot, app.consult.panes["tuned"].turns)
        await pilot.press("alt+g")
        await until(pilot, lambda: "taken over" in seen(app.screen))
        assert "taken over" in foot(views(app, "base")[0])
        await pilot.press("f8")
        await until(pilot, lambda: "the same answer" in told(app))
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app, turns=2)
        said = engines.last.asked[-1]["base"].messages[1].content
        assert said == answer_of("tuned", "One?")
