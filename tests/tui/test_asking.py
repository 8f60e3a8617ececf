from __future__ import annotations

import asyncio

import pytest
from textual import events

from medassist.core.errors import EngineError, ModelFileError
from medassist.core.values import PaneName, TooLong
from medassist.engine.wire import Question
from medassist.session.choice import Choice
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.decision import Decision
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.running import (
    PAIR,
    app_with,
    ask,
    focus,
    foot,
    push,
    seen,
    until,
    until_answered,
    until_ready,
    views,
)

SIZE = (120, 36)


async def test_one_question_is_answered_in_both_panes(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press(*"Is it measles?", "enter")
        await until_answered(pilot, app)
        screen = seen(app.screen)
        assert answer_of("base", "Is it measles?") in screen
        assert answer_of("tuned", "Is it measles?") in screen
        assert "20.0 tok/s · TTFT 0.25 s · context 812/4096" in screen
        assert app.consult.composer.text == ""


async def test_the_header_names_model_and_quantization(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        lines = seen(app.screen).splitlines()
        assert " A  base  Tiny base  Q8_0" in lines[1]
        assert " B  tuned  Tiny tuned + adapter  Q8_0" in lines[1]
        assert "OFFLINE · not saved · together · 2 threads · 1.2 GB" in lines[0]


@pytest.mark.parametrize("width", [41, 80, 100, 120])
async def test_where_it_is_narrow_the_models_name_gives_way_and_nothing_else(
    engines: FakeEngines, width: int
) -> None:
    engines.script.name = "A-model-with-a-name-longer-than-any-header-has-room-for-v2"
    app = app_with(engines)
    async with app.run_test(size=(width, 36)) as pilot:
        await until_ready(pilot, app)
        text = seen(app.screen)
        first = next(line for line in text.splitlines() if " A  base  " in line)
        assert first.split(" B  ")[0].rstrip(" ▕").endswith("-v2 base  Q8_0")
        second = next(line for line in text.splitlines() if " B  tuned  " in line)
        assert "…" in second and second.endswith("tuned + adapter  Q8_0")


async def test_ctrl_j_goes_to_a_new_line_and_enter_sends(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("a", "ctrl+j", "b", "enter")
        await until_answered(pilot, app)
        assert engines.last.asked[0]["base"].messages[-1].content == "a\nb"


async def test_keys_that_come_in_one_burst_take_effect_in_their_order(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        for key, character in [
            *((letter, letter) for letter in "first"),
            ("ctrl+j", "\n"),
            *((letter, letter) for letter in "line"),
            ("enter", "\r"),
            *((letter, letter) for letter in "next"),
        ]:
            app.post_message(events.Key(key, character))
        await until_answered(pilot, app)
        assert engines.last.asked[0]["base"].messages[-1].content == "first\nline"
        assert app.consult.composer.text == "next"


async def test_an_empty_question_is_not_sent(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until_ready(pilot, app)
        await pilot.press("space", "ctrl+j", "enter")
        await until(pilot, lambda: "Write a question first." in seen(app.screen))
        assert app.consult.session.consultation.turns == []
        assert engines.last.asked == []


async def test_a_second_question_goes_with_each_panes_own_history(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await ask(pilot, app, "Two?")
        await until_answered(pilot, app, turns=2)
        second = engines.last.asked[1]
        assert [m.content for m in second["base"].messages] == [
            "One?",
            answer_of("base", "One?"),
            "Two?",
        ]
        assert second["tuned"].messages[1].content == answer_of("tuned", "One?")
        assert engines.last.prepared[-1]["base"][-1].content == answer_of(
            "base", "Two?"
        )


async def test_what_is_written_while_the_model_loads_is_sent_when_it_is_ready(
    engines: FakeEngines,
) -> None:
    engines.script.hold_loading = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "loading 43 %" in seen(app.screen))
        await pilot.press(*"Early?", "enter")
        await until(pilot, lambda: "Early?" in seen(app.screen))
        assert engines.last.asked == []
        engines.script.hold_loading.set()
        await until_answered(pilot, app)
        assert answer_of("tuned", "Early?") in seen(app.screen)


async def test_escape_stops_the_loading_and_it_can_be_started_again(
    engines: FakeEngines,
) -> None:
    engines.script.hold_loading = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "loading 43 %" in seen(app.screen))
        await pilot.press(*"Early?", "enter")
        await until(pilot, lambda: app.consult.session.consultation.turns)
        await pilot.press("escape")
        await until(pilot, lambda: "loading stopped" in seen(app.screen))
        assert "Loading was stopped." in seen(app.screen)
        assert app.consult.composer.text == "Early?"
        engines.script.hold_loading.set()
        await pilot.press("ctrl+r")
        await until_ready(pilot, app)
        assert "Loading was stopped." not in seen(app.screen)


async def test_escape_stops_both_panes_and_keeps_and_marks_what_was_written(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Long?")
        await until(pilot, lambda: "writing · 1 token" in seen(app.screen))
        await pilot.press("escape")
        await until_answered(pilot, app)
        first, second = views(app, "base")[0], views(app, "tuned")[0]
        shown = first.turn.shown("base")
        assert shown is not None and shown.text == "The "
        assert "stopped" in foot(first) and "stopped" in foot(second)
        assert app.consult.panes["base"].status.startswith("stopped · 20.0 tok/s")


async def test_escape_right_after_enter_stops_what_is_only_about_to_be_written(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()  # never set: only a stop ends it
    app = app_with(engines)
    async with app.run_test() as pilot:
        await until_ready(pilot, app)
        app.consult._begin("Why?")
        app.consult.action_stop()
        await until_answered(pilot, app)
        for pane in app.consult.panes.all:
            assert pane.status.startswith("stopped")


async def test_escape_in_a_pane_stops_that_pane_alone(engines: FakeEngines) -> None:
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Long?")
        await until(pilot, lambda: "writing" in seen(app.screen))
        await focus(pilot, app.consult.panes["base"].turns)
        await pilot.press("escape")
        await until(pilot, lambda: "stopped" in foot(views(app, "base")[0]))
        engines.script.hold.set()
        await until_answered(pilot, app)
        assert answer_of("tuned", "Long?") in seen(app.screen)
        assert app.consult.panes["base"].status.startswith("stopped")


async def test_a_question_has_to_wait_for_the_answers_and_stays_in_the_composer(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until(pilot, lambda: "writing" in seen(app.screen))
        await ask(pilot, app, "Two?")
        await until(pilot, lambda: "still being written" in seen(app.screen))
        assert app.consult.composer.text == "Two?"
        engines.script.hold.set()
        await until_answered(pilot, app)


async def test_the_death_of_the_models_is_said_and_they_can_be_started_again(
    engines: FakeEngines,
) -> None:
    engines.script.dies = True
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Fatal?")
        await until(pilot, lambda: "signal 9" in seen(app.screen))
        assert app.consult.panes["base"].status == "ended"
        assert "Start the models again" in seen(app.screen)
        await push(pilot, "#restart")
        await until_ready_again(pilot, app, engines)
        assert "Start the models again" not in seen(app.screen)
        await ask(pilot, app, "And now?")
        await until_answered(pilot, app, turns=2)
        assert answer_of("base", "And now?") in seen(app.screen)
        # The broken answer is not part of what the model is asked with.
        assert len(engines.last.asked[-1]["base"].messages) == 1


async def until_ready_again(pilot, app: ConsultApp, engines: FakeEngines) -> None:
    pair = app.consult.session.pair
    await until(pilot, lambda: engines.last.starts == 2 and pair.settled.is_set())
    await until(pilot, lambda: pair.state == "ready")
    await pilot.pause()


async def test_asking_after_a_death_starts_the_models_by_itself(
    engines: FakeEngines,
) -> None:
    engines.script.dies = True
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "Fatal?")
        await until(pilot, lambda: "signal 9" in seen(app.screen))
        await ask(pilot, app, "And now?")
        await until_answered(pilot, app, turns=2)
        assert answer_of("tuned", "And now?") in seen(app.screen)


async def test_an_error_that_is_no_death_is_said_in_the_pane(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)

        def broken(pane: PaneName, question: Question) -> TooLong | None:
            raise EngineError("The template of the model refuses this [/b] question.")

        engines.script.too_long = broken
        await ask(pilot, app, "Odd?")
        await until_answered(pilot, app)
        assert "refuses this [/b] question." in seen(app.screen)


async def test_a_model_that_cannot_be_loaded_is_named_with_the_reason(
    engines: FakeEngines,
) -> None:
    engines.script.load_error = ModelFileError(
        "/models/base.gguf: the file ends in the middle of tensor 7."
    )
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "in the middle of tensor 7." in seen(app.screen))
        assert "not loaded" in seen(app.screen)
        engines.script.load_error = None
        await pilot.press("ctrl+r")
        await until_ready(pilot, app)


def too_long_from(turn: int):
    """From question `turn` on, a prompt with more than two messages is too long."""

    def check(pane: PaneName, question: Question) -> TooLong | None:
        earlier = len(question.messages) // 2
        if len(question.messages) <= 2 or earlier < turn:
            return None
        return TooLong(
            pane=pane,
            tokens=5000 + 100 * earlier,
            fits=5000,
            droppable=(100,) * earlier,
        )

    return check


async def test_what_does_not_fit_can_be_made_to_fit_by_leaving_out_old_turns(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        for count, question in enumerate(["One?", "Two?"], start=1):
            await ask(pilot, app, question)
            await until_answered(pilot, app, turns=count)
        engines.script.too_long = too_long_from(1)
        await ask(pilot, app, "Three?")
        await until(pilot, lambda: "would be asked with" in seen(app.screen))
        said = seen(app.screen)
        assert "5,200 tokens; 5,000 fit." in said
        assert "Leave out the 2 oldest turns" in said
        assert app.consult.composer.text == "Three?"
        await push(pilot, "#yes")
        await until_answered(pilot, app, turns=3)
        assert [m.content for m in engines.last.asked[-1]["base"].messages] == [
            "Three?"
        ]
        assert app.consult.composer.text == ""
        assert "no longer sent" in foot(views(app, "base")[0])
        assert answer_of("base", "One?") in seen(app.screen)


async def test_a_question_that_is_too_long_by_itself_goes_back_to_be_edited(
    engines: FakeEngines,
) -> None:
    engines.script.too_long = lambda pane, question: TooLong(
        pane=pane, tokens=300_000, fits=3584, droppable=()
    )
    question = "word " * 200_000
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        app.consult.composer.text = question
        await pilot.press("enter")
        await until(pilot, lambda: "would be asked with" in seen(app.screen))
        said = seen(app.screen)
        assert "300,000 tokens; 3,584 fit." in said
        assert "Leave out" not in said
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Decision))
        assert app.consult.composer.text == question.strip()
        assert app.consult.session.consultation.turns == []


async def test_regenerating_asks_again_with_another_seed_and_keeps_both(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        engines.script.answers = {"base": ["Another one."], "tuned": ["Other too."]}
        await pilot.press("f5")
        await until(pilot, lambda: "Another one." in seen(app.screen))
        await until_answered(pilot, app)
        seeds = [asked["base"].sampling.seed for asked in engines.last.asked]
        assert seeds == [42, 43]
        assert len(engines.last.asked[1]["base"].messages) == 1
        assert "answer 2 of 2" in foot(views(app, "base")[0])
        await pilot.press("alt+e")
        await until(pilot, lambda: answer_of("base", "One?") in seen(app.screen))
        assert "answer 1 of 2" in foot(views(app, "base")[0])


async def test_the_mode_can_be_switched_and_is_remembered(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "not saved · in turn" in seen(app.screen))
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        assert engines.last.modes == ["in-turn"]
        await app.workers.wait_for_complete()
    again = app_with(engines)
    async with again.run_test(size=SIZE) as pilot:
        await until_ready(pilot, again)
        assert "in turn" in seen(again.screen)


async def test_a_new_consultation_is_begun_after_a_word_of_warning(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, Decision))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Decision))
        assert len(app.consult.session.consultation.turns) == 1
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "Begin anew" in seen(app.screen))
        await push(pilot, "#yes")
        await until(pilot, lambda: not app.consult.session.consultation.turns)
        await until(pilot, lambda: "One?" not in seen(app.screen))


async def test_a_base_model_alone_has_one_pane(engines: FakeEngines) -> None:
    app = app_with(engines, Choice(base=PAIR.base))
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        assert "tuned" not in seen(app.screen)
        assert list(engines.last.asked[0]) == ["base"]


async def test_quitting_ends_the_models_process(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await pilot.press("ctrl+q")
    assert engines.last.state == "closed"
    assert app.return_code == 0


async def test_the_program_can_be_left_while_the_models_are_loading(
    engines: FakeEngines,
) -> None:
    engines.script.hold_loading = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "loading 43 %" in seen(app.screen))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit)
    assert app.return_code == 0
    assert engines.last.state == "closed"


async def test_quitting_does_not_wait_for_an_engine_that_hangs(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)

        async def hangs() -> None:
            await asyncio.Event().wait()

        engines.last.close = hangs
        begin = asyncio.get_running_loop().time()
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app._exit)
        assert asyncio.get_running_loop().time() - begin < 4
