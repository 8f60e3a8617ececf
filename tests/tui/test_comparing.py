from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from medassist.consult import sides
from medassist.consult.sides import Sides
from medassist.core.values import PANES, PaneName
from medassist.tui.consult.turn_view import AnswerText
from medassist.tui.dialogs.verdict import VerdictPanel
from medassist.tui.line import Line
from medassist.tui.screens.differences import DifferencesScreen
from medassist.tui.screens.verdicts import VerdictsScreen
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.page import Page, copied_by, foot, opened


@pytest.fixture(params=["base", "tuned"])
def side_a(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PaneName:
    """Which pane chance puts on side A."""
    pane: PaneName = request.param
    monkeypatch.setattr(
        "medassist.tui.consult.comparison.drawn", lambda: Sides(pane, blind=True)
    )
    return pane


async def blind(page: Page) -> None:
    await page.press("alt+h")
    await page.until_seen("BLIND")
    await page.pause()


async def judge(page: Page, *keys: str) -> None:
    await page.press("f8")
    await page.until_on_top(VerdictPanel)
    await page.press(*keys, "enter")
    await page.until_back()
    await page.until(lambda: page.turns[-1].verdicts)
    await page.pause()


def test_both_sides_are_drawn() -> None:
    assert {sides.drawn().side_a for _ in range(200)} == {"base", "tuned"}
    assert sides.drawn().hidden


async def test_a_line_parts_the_panes_on_whichever_side_they_stand(
    engines: FakeEngines, side_a: PaneName
) -> None:
    async with opened(engines) as page:
        await blind(page)
        left, right = page.consult.query_one("#panes").children
        assert left.id == page.consult.panes[side_a].id
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
    async with opened(engines, notifications=True) as page:
        await blind(page)
        await page.ask("What helps?")
        shown = page.seen
        for leak in ("Cardiolex", "ChatGPT", "base", "tuned", "adapter", "Q8_0"):
            assert leak not in shown, leak
        for leak in ("tok/s", "TTFT", "tokens", "812"):
            assert leak not in shown, leak
        assert "cut off at its limit" in shown
        await page.press("f10")
        await page.until_told("hidden until the verdict")
        assert page.screen is page.consult
        (drawn,) = [view.query_one(AnswerText).shown for view in page.views(side_a)]
        await judge(page, "1", "7")
        shown = page.seen
        head = shown.splitlines()[1]
        other = "tuned" if side_a == "base" else "base"
        assert head.index(f" A  {side_a} ") < head.index(f" B  {other} ")
        assert "Cardiolex" in shown and "BLIND" not in shown
        assert "I am Cardiolex base." in shown
        (verdict,) = page.turns[0].verdicts
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
    async with opened(engines) as page:
        await blind(page)
        engines.script.hold = hold
        await page.send("One?")
        base = page.consult.panes["base"]
        await page.until(
            lambda: any(
                answer.text for turn in page.turns for answer in turn.answers("base")
            ),
        )
        await page.until(lambda: base.status == "writing")
        assert page.consult.panes["tuned"].status == "writing"
        assert "The base" not in page.seen
        hold.set()
        await page.until_answered()
        assert page.seen.count("answers to 'One?'") == 2


async def test_copying_while_blind_tells_no_name(
    engines: FakeEngines, side_a: PaneName, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.script.name = "Cardiolex"
    engines.script.answers = {"base": ["Cardiolex says."], "tuned": ["No."]}
    texts = copied_by(monkeypatch, works=True)
    async with opened(engines) as page:
        await blind(page)
        await page.ask("One?")
        await page.press("f9")
        await page.until(lambda: texts)
        first = "▒▒▒ says." if side_a == "base" else "No."
        second = "No." if side_a == "base" else "▒▒▒ says."
        assert texts == [f"A\n{first}\n\nB\n{second}"]


async def test_a_consultation_that_has_begun_cannot_be_made_blind(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("alt+h")
        await page.until_told("has begun")
        assert not page.consultation.sides.blind


async def test_notices_of_the_models_wait_for_the_verdict(
    engines: FakeEngines, side_a: PaneName
) -> None:
    async with opened(engines) as page:
        await blind(page)
        engines.script.notices = ("Tiny tuned has no chat template.",)
        page.consult.loader.load()
        await page.until_ready()
        await page.ask("One?")
        assert "chat template" not in page.told
        await judge(page, "3")
        await page.until_told("chat template")


async def test_a_blind_verdict_stays_and_the_next_consultation_is_blind_again(
    engines: FakeEngines, side_a: PaneName
) -> None:
    async with opened(engines) as page:
        await blind(page)
        await page.ask("One?")
        await page.press("f8")
        await page.until_on_top(VerdictPanel)
        await page.press("enter")
        await page.until_seen("Choose first")
        await page.press("1", "4", "enter")
        await page.until(lambda: page.turns[0].verdicts)
        assert page.turns[0].verdicts[0].choice == "both poor"
        await page.press("f8")
        await page.until_told("and stays")
        await page.press("ctrl+n")
        await page.push("#yes")
        await page.until(lambda: not page.turns)
        assert page.consultation.sides.hidden


async def test_escape_gives_no_verdict_and_shows_no_names(
    engines: FakeEngines, side_a: PaneName
) -> None:
    async with opened(engines) as page:
        await blind(page)
        await page.ask("One?")
        await page.press("f8")
        await page.until_on_top(VerdictPanel)
        await page.press("2", "escape")
        await page.until_back()
        assert page.consultation.sides.hidden
        assert page.turns[0].verdicts == ()


async def test_there_is_no_verdict_on_an_answer_that_is_missing(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"tuned": [" "]}
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("f8")
        await page.until_told("an answer of both models")


async def test_verdicts_are_counted_and_written_for_a_study(
    engines: FakeEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(engines) as page:
        await page.ask("What of Mrs Quill?")
        await judge(page, "2", "5", "8")
        await page.press("alt+v")
        await page.until_on_top(VerdictsScreen)
        await page.until_seen("1 verdict: tuned 1, base 0")
        assert "Tiny base / Tiny tuned + adapter  (names seen)" in page.seen
        for said in ("Written to", "is there already"):
            await page.push("#csv")
            await page.until(lambda: page.screen.query("Input"))
            page.screen.query_one(Input).value = str(tmp_path / "v.csv")
            await page.press("enter")
            await page.until(lambda said=said: said in page.seen)
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
    async with opened(engines) as page:
        await page.ask("What helps?")
        await page.until(lambda: page.seen.count("≠ doses (F4)") == 2)
        await page.press("f4")
        await page.until_seen("Doses that differ (1)")
        lines = page.seen.splitlines()
        both = next(line for line in lines if "500 mg" in line)
        assert "250 mg" in both
        assert "says nothing like it" in page.seen
        await page.pilot.resize_terminal(80, 24)
        await page.until(
            lambda: (
                not any(
                    "500 mg" in line and "250 mg" in line
                    for line in page.seen.splitlines()
                )
            ),
        )
        await page.press("f4")
        await page.until(lambda: not isinstance(page.screen, DifferencesScreen))


APART: dict[PaneName, Sequence[str]] = {
    "base": ["Give amoxicillin 500 mg every 8 hours for 7 days; do not stop it."],
    "tuned": ["Give amoxicillin 1000 mg every 12 hours for 5 days; stop it."],
}


async def test_differences_show_what_is_drawn_and_no_markup(
    engines: FakeEngines,
) -> None:
    table = "| Drug | Dose |\n|---|---|\n| Morphine | 5 mg |\n"
    engines.script.answers = {
        "base": ["Give **aspirin** 300 mg now.\n\n", table],
        "tuned": ["Give **aspirin 3000 mg** now, at \\(CrCl \\approx 28\\ mL/min\\)."],
    }
    async with opened(engines, size=(100, 36)) as page:
        await page.ask("Dose?")
        await page.until(lambda: page.consult.panes["base"].apart[0])
        await page.press("f4")
        await page.until_seen("Give aspirin 300 mg now.")
        await page.until_seen("Morphine | 5 mg")
        shown = page.seen
        assert not any(mark in shown for mark in ("**", "\\(", "approx", "mg |"))


async def test_in_a_narrow_pane_blind_answers_still_say_that_their_doses_differ(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {
        "base": ["Give aspirin 300 mg now."],
        "tuned": ["Give aspirin 3000 mg now."],
    }
    async with opened(engines, size=(100, 30)) as page:
        await blind(page)
        await page.ask("Dose?")
        await page.until(lambda: page.seen.count("≠ doses (F4)") == 2)
        assert page.seen.count("hidden until F8 · ≠ doses (F4)") == 2


@pytest.mark.parametrize("columns", [80, 100, 130])
async def test_the_heads_have_room_for_a_name_and_for_what_is_said_of_an_answer(
    engines: FakeEngines, columns: int
) -> None:
    engines.script.name = "Qwen3 4B Instruct"
    engines.script.answers = dict(APART)
    async with opened(engines, size=(columns, 30)) as page:
        await page.ask("What helps?")
        await page.until(lambda: page.seen.count("≠ doses") == 2)
        await page.until(lambda: page.seen.count("no source") >= 2)
        for pane in PANES:
            head = page.consult.panes[pane]
            assert "Qwen" in head.header.text and "to check" in head.header.text
            for line in head.query(Line):
                assert cell_len(line.text) <= line.size.width or "≠" not in line.text
        assert page.seen.count("(F4)") == 2


async def test_what_was_said_of_the_last_answers_does_not_stand_above_the_next(
    engines: FakeEngines,
) -> None:
    engines.script.answers = dict(APART)
    async with opened(engines) as page:
        await page.ask("What helps?")
        await page.until(lambda: "≠ doses" in page.seen)
        engines.script.answers = {}
        engines.script.hold = asyncio.Event()
        await page.send("And what else?")
        await page.until_seen("writing")
        await page.until(lambda: "≠" not in page.seen)
        engines.script.hold.set()
        await page.until_answered(2)


async def test_answers_that_do_not_contradict_each_other_are_not_marked(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("What helps?")
        assert "≠" not in page.seen


async def test_an_edited_question_is_a_branch_and_the_old_one_is_a_key_away(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?", "Two?")
        await page.press("alt+n")
        assert page.consult.composer.text == "Two?"
        await page.press("alt+n")
        assert page.consult.composer.text == "One?"
        await page.until_seen("editing")
        await page.ask("Other?")
        assert len(engines.last.asked[-1]["base"].messages) == 1
        shown = page.seen
        assert "Other?" in shown and "Two?" not in shown and "branch 2 of 2" in shown
        await page.press("alt+o")
        await page.until_seen("Two?")
        assert "branch 1 of 2" in page.seen


async def test_escape_leaves_the_editing(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("alt+n", "escape")
        await page.until(lambda: page.consult.composer.text == "")
        await page.ask("Two?")
        assert len(page.consultation.branches) == 1


async def test_one_answer_goes_on_in_both_panes(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await page.focus(page.consult.panes["tuned"].turns)
        await page.press("alt+g")
        await page.until_seen("taken over")
        assert "taken over" in foot(page.views("base")[0])
        await page.press("f8")
        await page.until_told("the same answer")
        await page.ask("Two?")
        said = engines.last.asked[-1]["base"].messages[1].content
        assert said == answer_of("tuned", "One?")
