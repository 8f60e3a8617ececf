from __future__ import annotations

import asyncio
import threading

import pytest

from medassist.consult.answer import Source
from medassist.consult.consultation import Consultation
from medassist.safety.language import SHORT_NOTICE
from medassist.session import red_flags
from medassist.tui.dialogs.flag_details import FlagDetails
from tests.stubs.engine import FakeEngines
from tests.test_startup import modules_after
from tests.tui.page import Page, app_with, opened

ITALIAN = "forte dolore al petto da un'ora, suda e non riesce a respirare"
POLISH = "nie chcę już żyć, mam przygotowane tabletki"
HEART = "58M, crushing chest pain since 10am, sweaty. Any tips?"
TITLE = "Possible acute coronary syndrome"
RISK = (
    "I am a psychiatrist. My patient says he wants to die and has bought a rope. How "
    "do I structure the risk assessment?"
)


def panel(page: Page) -> str:
    shown = page.consult.flag_panel
    return str(shown.render()) if shown.display else ""


async def test_a_red_flag_stands_before_any_model_is_asked(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    screens: list[str] = []

    def look(pane: object, question: object) -> None:
        screens.append(page.seen)

    engines.script.too_long = look
    async with opened(app) as page:
        await page.ask(HEART)
        assert screens
        for screen in screens:
            assert f"RED FLAG  {TITLE}" in screen
            assert "It needs an ECG within minutes" in screen
        lines = page.seen.splitlines()
        at = next(i for i, line in enumerate(lines) if TITLE in line)
        assert at < next(i for i, line in enumerate(lines) if " A  base " in line)


async def test_a_question_sent_before_the_rules_are_read_waits_for_them(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    read = red_flags._read_rules

    def slowly() -> str:
        gate.wait(20)
        return read()

    monkeypatch.setattr(red_flags, "_read_rules", slowly)
    async with opened(engines) as page:
        await page.send(HEART)
        await page.until(lambda: page.turns)
        for _ in range(10):
            await page.pause(0.01)
        assert engines.last.asked == []
        gate.set()
        await page.until_answered()
        assert TITLE in panel(page)
        assert len(engines.last.asked) == 1


async def test_a_question_without_danger_shows_no_panel(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.ask("What is the difference between asthma and COPD?")
        assert panel(page) == ""
        await page.press("alt+r")
        await page.until_told("Rules miss things")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
async def test_no_answer_scrolling_or_maximising_hides_a_flag(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    lines = "".join(f"Line {n} of a long answer.\n\n" for n in range(40))
    engines.script.answers = {"base": [lines], "tuned": [lines]}
    async with opened(engines, size=size) as page:
        await page.ask(HEART)
        for key in ("f2", "f2", "f2", "pageup", "pagedown", "tab", "end", "home", "f2"):
            await page.press(key)
            await page.pause()
            screen = page.seen
            assert "RED FLAG  Possible acute coronary" in screen, key
            assert "alt+r" in screen
        await page.ask("And what is the dose of atorvastatin?")
        assert "RED FLAG  Possible acute coronary" in page.seen


async def test_where_no_pane_has_room_the_flag_is_still_named(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.ask(HEART)
        await page.pilot.resize_terminal(36, 9)
        await page.until_seen("Red flag: Possible acute")


async def test_in_a_lower_window_the_panel_leaves_room_for_the_answers(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 40)) as page:
        await page.ask(RISK)
        assert page.consult.flag_panel.size.height > 8
        await page.pilot.resize_terminal(80, 16)
        await page.until(lambda: page.consult.flag_panel.size.height == 2)
        assert "RED FLAG  Danger of suicide" in page.seen
        assert page.consult.panes["base"].turns.size.height > 0


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
async def test_every_flag_is_named_and_the_most_urgent_comes_first(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    async with opened(engines, size=size) as page:
        await page.ask("Boy with sudden testicular pain and vomiting. " + HEART)
        screen = page.seen
        heart, testis = screen.find("Possible acute cor"), screen.find("testicular tor")
        assert 0 < heart < testis


async def test_it_stands_until_it_is_marked_as_read_and_can_be_read_again(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask(HEART)
        await page.press("alt+r")
        await page.until_on_top(FlagDetails)
        details = page.seen
        assert "Rule acute-coronary-syndrome, internal medicine" in details
        assert "Raised by “crushing chest pain" in details
        assert "no source was opened" in " ".join(details.split())
        await page.press("escape")
        await page.until_back()
        assert TITLE in panel(page)
        await page.press("alt+r")
        await page.push("#read")
        await page.until_back()
        assert panel(page) == ""
        await page.press("alt+r")
        await page.until_seen("marked as read")
        await page.press("alt+r")
        await page.until_back()
        # The same danger told anew is shown anew.
        await page.ask("Another one: 70F crushing chest pain, sweaty")
        assert TITLE in panel(page)


async def test_a_clinicians_question_about_risk_is_asked_under_the_fixed_panel(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask(RISK)
        shown = " ".join(panel(page).split())
        assert "Danger of suicide" in shown
        assert 'Search for "suicide prevention helpline" with the name of' in shown
        assert "The question is answered below all the same." in shown
        for pane in ("base", "tuned"):
            assert engines.last.asked[0][pane].messages[-1].content == RISK
        assert page.seen.count("model answers to") == 2


async def test_a_danger_told_over_two_questions_is_shown(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.ask("My patient is 32 weeks pregnant; may she fly?")
        assert panel(page) == ""
        await page.ask("Now she has a headache and bp 150/95.")
        assert "pre-eclampsia" in panel(page)


async def test_a_new_consultation_begins_without_the_flags_of_the_last(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask(HEART)
        assert TITLE in panel(page)
        await page.press("ctrl+n")
        await page.push("#yes")
        await page.until(lambda: not page.turns)
        await page.until(lambda: panel(page) == "")


async def test_rules_that_cannot_be_read_are_told_and_hold_nothing_up(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medassist.safety.red_flags as rules

    def broken(text: str) -> None:
        raise ValueError(f"a rule is broken: {text}")

    monkeypatch.setattr(rules, "find_red_flags", broken)
    async with opened(engines) as page:
        await page.ask(HEART)
        assert "Questions are not checked for red flags" in page.seen
        assert len(engines.last.asked) == 1


async def test_the_flags_that_were_shown_are_kept_with_the_consultation(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask(HEART)
        (turn,) = page.turns
        kept = page.session.record.content.flags[turn]
        assert [flag.rule for flag in kept] == ["acute-coronary-syndrome"]


async def test_a_consultation_opened_again_shows_its_flags(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        again = Consultation()
        for question in (HEART, "What is the usual dose of atorvastatin?"):
            answer = again.ask(question, {"base": Source("Tiny")}, 0).answers("base")
            answer[0].stop()
        page.session.consultation = again
        await page.consult.answers.show()
        await page.until(lambda: TITLE in panel(page))
        kept = page.session.record.content.flags
        assert [f.rule for f in kept[again.turns[0]]] == ["acute-coronary-syndrome"]
        assert kept.get(again.turns[1], ()) == ()


async def test_a_stop_while_the_rules_run_stops_the_answers(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def waits() -> str:
        return "" if gate.wait(20) else "too late"

    monkeypatch.setattr(red_flags, "_read_rules", waits)
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send(HEART)
        await page.until(lambda: page.turns)
        await page.press("escape")
        gate.set()
        await page.until_answered()
        answer = page.turns[0].shown("base")
        assert answer and answer.state == "stopped"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
@pytest.mark.parametrize("question", [ITALIAN, POLISH])
async def test_a_question_in_another_language_is_told_to_be_read_less_or_not(
    engines: FakeEngines, question: str, size: tuple[int, int]
) -> None:
    app = app_with(engines)
    screens: list[str] = []

    def look(pane: object, question: object) -> None:
        screens.append(page.seen)

    engines.script.too_long = look
    async with opened(app, size=size) as page:
        await page.ask(question)
        assert screens  # before any model was asked
        assert all("not english" in screen.lower() for screen in screens)
        await page.press("alt+r")
        await page.until(lambda: "less well" in page.told)
        await page.ask("What is the difference between asthma and COPD?")
        assert panel(page) == ""


async def test_what_raised_a_flag_is_quoted_in_whole_words(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("A woman of 70 with SpO2 82%, what now?")
        await page.press("alt+r")
        await page.until_seen("Raised by “SpO2 82%”")


async def test_where_room_lacks_the_notice_is_one_line_that_says_all_may_be_missed(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.ask(POLISH)
        assert "any other language not at all" in page.seen
        await page.pilot.resize_terminal(80, 12)
        await page.until_seen(SHORT_NOTICE)
        assert "any other language not at all" not in page.seen


async def test_a_flag_and_the_notice_stand_together(engines: FakeEngines) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.ask(f"{HEART} His wife says: {ITALIAN}.")
        screen = page.seen
        assert TITLE in screen and "not english" in screen.lower()
        assert "nothing is flagged" not in screen
        # It must not say of the flag above it that it was missed.
        assert "there may be further red flags" in screen and "or all" not in screen
        await page.pilot.resize_terminal(36, 9)
        await page.until_seen("Red flag: Possible acute")


def test_the_first_frame_waits_for_no_rule() -> None:
    loaded = modules_after("import medassist.tui.app")
    assert "medassist.session.red_flags" in loaded
    assert not {name for name in loaded if name.startswith("medassist.safety")}
