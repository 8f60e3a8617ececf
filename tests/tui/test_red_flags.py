from __future__ import annotations

import asyncio
import threading

import pytest

from medassist.consult.answer import Source
from medassist.consult.consultation import Consultation
from medassist.session import red_flags
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.flag_details import FlagDetails
from tests.stubs.engine import FakeEngines
from tests.test_startup import modules_after
from tests.tui.running import (
    app_with,
    ask,
    push,
    seen,
    told,
    until,
    until_answered,
    until_ready,
)

SIZE = (120, 36)
GERMAN = "Plötzlicher starker Brustschmerz mit Ausstrahlung in den linken Arm"
SPANISH = "quiero morirme, ya tengo las pastillas preparadas"
HEART = "58M, crushing chest pain since 10am, sweaty. Any tips?"
TITLE = "Possible acute coronary syndrome"
RISK = (
    "I am a psychiatrist. My patient says he wants to die and has bought a rope. How "
    "do I structure the risk assessment?"
)


def panel(app: ConsultApp) -> str:
    shown = app.consult.flag_panel
    return str(shown.render()) if shown.display else ""


async def test_a_red_flag_stands_before_any_model_is_asked(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    screens: list[str] = []

    def look(pane: object, question: object) -> None:
        screens.append(seen(app.screen))

    engines.script.too_long = look
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        assert screens
        for screen in screens:
            assert f"RED FLAG  {TITLE}" in screen
            assert "It needs an ECG within minutes" in screen
        lines = seen(app.screen).splitlines()
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
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until(pilot, lambda: app.consult.session.consultation.turns)
        for _ in range(10):
            await pilot.pause(0.01)
        assert engines.last.asked == []
        gate.set()
        await until_answered(pilot, app)
        assert TITLE in panel(app)
        assert len(engines.last.asked) == 1


async def test_a_question_without_danger_shows_no_panel(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "What is the difference between asthma and COPD?")
        await until_answered(pilot, app)
        assert panel(app) == ""
        await pilot.press("alt+r")
        await until(pilot, lambda: "Rules miss things" in told(app))


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
async def test_no_answer_scrolling_or_maximising_hides_a_flag(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    lines = "".join(f"Line {n} of a long answer.\n\n" for n in range(40))
    engines.script.answers = {"base": [lines], "tuned": [lines]}
    app = app_with(engines)
    async with app.run_test(size=size) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        for key in ("f2", "f2", "f2", "pageup", "pagedown", "tab", "end", "home", "f2"):
            await pilot.press(key)
            await pilot.pause()
            screen = seen(app.screen)
            assert "RED FLAG  Possible acute coronary" in screen, key
            assert "alt+r" in screen
        await ask(pilot, app, "And what is the dose of atorvastatin?")
        await until_answered(pilot, app, 2)
        assert "RED FLAG  Possible acute coronary" in seen(app.screen)


async def test_where_no_pane_has_room_the_flag_is_still_named(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        await pilot.resize_terminal(36, 9)
        await until(pilot, lambda: "Red flag: Possible acute" in seen(app.screen))


async def test_in_a_lower_window_the_panel_leaves_room_for_the_answers(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(80, 40)) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, RISK)
        await until_answered(pilot, app)
        assert app.consult.flag_panel.size.height > 8
        await pilot.resize_terminal(80, 16)
        await until(pilot, lambda: app.consult.flag_panel.size.height == 2)
        assert "RED FLAG  Danger of suicide" in seen(app.screen)
        assert app.consult.panes["base"].turns.size.height > 0


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
async def test_every_flag_is_named_and_the_most_urgent_comes_first(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    app = app_with(engines)
    async with app.run_test(size=size) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Boy with sudden testicular pain and vomiting. " + HEART)
        await until_answered(pilot, app)
        screen = seen(app.screen)
        heart, testis = screen.find("Possible acute cor"), screen.find("testicular tor")
        assert 0 < heart < testis


async def test_it_stands_until_it_is_marked_as_read_and_can_be_read_again(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        await pilot.press("alt+r")
        await until(pilot, lambda: isinstance(app.screen, FlagDetails))
        details = seen(app.screen)
        assert "Rule acute-coronary-syndrome, internal medicine" in details
        assert "Raised by “crushing chest pain" in details
        assert "no source was opened" in " ".join(details.split())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.consult)
        assert TITLE in panel(app)
        await pilot.press("alt+r")
        await push(pilot, "#read")
        await until(pilot, lambda: app.screen is app.consult)
        assert panel(app) == ""
        await pilot.press("alt+r")
        await until(pilot, lambda: "marked as read" in seen(app.screen))
        await pilot.press("alt+r")
        await until(pilot, lambda: app.screen is app.consult)
        # The same danger told anew is shown anew.
        await ask(pilot, app, "Another one: 70F crushing chest pain, sweaty")
        await until_answered(pilot, app, 2)
        assert TITLE in panel(app)


async def test_a_clinicians_question_about_risk_is_asked_under_the_fixed_panel(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, RISK)
        await until_answered(pilot, app)
        shown = " ".join(panel(app).split())
        assert "Danger of suicide" in shown
        assert 'Search for "suicide prevention helpline" with the name of' in shown
        assert "The question is answered below all the same." in shown
        for pane in ("base", "tuned"):
            assert engines.last.asked[0][pane].messages[-1].content == RISK
        assert seen(app.screen).count("model answers to") == 2


async def test_a_danger_told_over_two_questions_is_shown(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "My patient is 32 weeks pregnant; may she fly?")
        await until_answered(pilot, app)
        assert panel(app) == ""
        await ask(pilot, app, "Now she has a headache and bp 150/95.")
        await until_answered(pilot, app, 2)
        assert "pre-eclampsia" in panel(app)


async def test_a_new_consultation_begins_without_the_flags_of_the_last(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        assert TITLE in panel(app)
        await pilot.press("ctrl+n")
        await push(pilot, "#yes")
        await until(pilot, lambda: not app.consult.session.consultation.turns)
        await until(pilot, lambda: panel(app) == "")


async def test_rules_that_cannot_be_read_are_told_and_hold_nothing_up(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medassist.safety.red_flags as rules

    def broken(text: str) -> None:
        raise ValueError(f"a rule is broken: {text}")

    monkeypatch.setattr(rules, "find_red_flags", broken)
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        assert "Questions are not checked for red flags" in seen(app.screen)
        assert len(engines.last.asked) == 1


async def test_the_flags_that_were_shown_are_kept_with_the_consultation(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until_answered(pilot, app)
        (turn,) = app.consult.session.consultation.turns
        kept = app.consult.session.record.content.flags[turn]
        assert [flag.rule for flag in kept] == ["acute-coronary-syndrome"]


async def test_a_consultation_opened_again_shows_its_flags(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        opened = Consultation()
        for question in (HEART, "What is the usual dose of atorvastatin?"):
            answer = opened.ask(question, {"base": Source("Tiny")}, 0).answers("base")
            answer[0].stop()
        app.consult.session.consultation = opened
        await app.consult.answers.show()
        await until(pilot, lambda: TITLE in panel(app))
        kept = app.consult.session.record.content.flags
        assert [f.rule for f in kept[opened.turns[0]]] == ["acute-coronary-syndrome"]
        await until(pilot, lambda: opened.turns[1] in kept)
        assert kept[opened.turns[1]] == ()


async def test_a_stop_while_the_rules_run_stops_the_answers(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def waits() -> str:
        return "" if gate.wait(20) else "too late"

    monkeypatch.setattr(red_flags, "_read_rules", waits)
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, HEART)
        await until(pilot, lambda: app.consult.session.consultation.turns)
        await pilot.press("escape")
        gate.set()
        await until_answered(pilot, app)
        answer = app.consult.session.consultation.turns[0].shown("base")
        assert answer and answer.state == "stopped"


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (41, 12)])
@pytest.mark.parametrize("question", [GERMAN, SPANISH])
async def test_a_question_in_another_language_is_told_to_be_unchecked(
    engines: FakeEngines, question: str, size: tuple[int, int]
) -> None:
    app = app_with(engines)
    screens: list[str] = []

    def look(pane: object, question: object) -> None:
        screens.append(seen(app.screen))

    engines.script.too_long = look
    async with app.run_test(size=size) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, question)
        await until_answered(pilot, app)
        assert screens  # before any model was asked
        assert all("not english" in screen.lower() for screen in screens)
        await pilot.press("alt+r")
        await until(pilot, lambda: "not checked for red flags" in told(app).lower())
        await ask(pilot, app, "What is the difference between asthma and COPD?")
        await until_answered(pilot, app, 2)
        assert panel(app) == ""


async def test_a_flag_and_the_notice_stand_together(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, f"{HEART} His wife says: {SPANISH}.")
        await until_answered(pilot, app)
        screen = seen(app.screen)
        assert TITLE in screen and "not english" in screen.lower()
        await pilot.resize_terminal(36, 9)
        await until(pilot, lambda: "Red flag: Possible acute" in seen(app.screen))


def test_the_first_frame_waits_for_no_rule() -> None:
    loaded = modules_after("import medassist.tui.app")
    assert "medassist.session.red_flags" in loaded
    assert not {name for name in loaded if name.startswith("medassist.safety")}
