from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from textual import events

from medassist.core.errors import CauseOfDeath, EngineError, ModelFileError
from medassist.core.values import PANES, PaneName, TooLong
from medassist.engine.wire import Question
from medassist.session.choice import Choice
from medassist.tui.consult import answers
from medassist.tui.dialogs.decision import Decision
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.page import PAIR, Page, app_with, foot, opened


async def test_one_question_is_answered_in_both_panes(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.press(*"Is it measles?", "enter")
        await page.until_answered()
        screen = page.seen
        assert answer_of("base", "Is it measles?") in screen
        assert answer_of("tuned", "Is it measles?") in screen
        assert [page.consult.panes[pane].status for pane in PANES] == [
            "whole answer"
        ] * 2
        assert page.consult.composer.text == ""


async def test_how_much_of_a_question_is_read_is_said_without_figures(
    engines: FakeEngines,
) -> None:
    engines.script.hold, engines.script.hold_before_first = asyncio.Event(), True
    async with opened(engines) as page:
        await page.send("One?")
        await page.until_seen("reading the question, 25 %")
        assert "2048" not in page.seen and "2,048" not in page.seen
        await page.press("alt+l")
        await page.until_seen("512 of 2,048 tokens")
        engines.script.hold.set()
        await page.until_answered()


async def test_an_answer_is_drawn_as_soon_as_it_is_whole(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine where one drawing has taken very long.
    for pause in ("FASTEST_S", "SLOWEST_S"):
        monkeypatch.setattr(answers, pause, 1e6)
    async with opened(engines) as page:
        await page.ask("Is it measles?")
        assert answer_of("tuned", "Is it measles?") in page.seen


async def test_models_that_have_ended_can_be_started_again_before_they_are_asked(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        engines.last.state = "dead"
        assert page.app.run_command("restart")
        await page.until(lambda: engines.last.starts == 2)
        await page.until_ready()


async def test_the_heads_name_the_models_and_figures_are_for_who_wants_them(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        plain = page.seen
        lines = plain.splitlines()
        assert " A  base  Tiny base " in lines[1]
        assert " B  tuned  Tiny tuned + adapter" in lines[1]
        assert lines[0].rstrip().endswith("OFFLINE · not saved · asked together")
        for figure in ("Q8_0", "tok/s", "TTFT", "4096", "threads", "GB"):
            assert figure not in plain
        await page.press("alt+l")
        await page.until_seen(
            "whole answer · 20.0 tok/s · TTFT 0.25 s · context 812/4096"
        )
        lines = page.seen.splitlines()
        assert " A  base  Tiny base  Q8_0" in lines[1]
        assert " B  tuned  Tiny tuned + adapter  Q8_0" in lines[1]
        assert "OFFLINE · not saved · asked together · 2 threads · 1.2 GB" in lines[0]
    async with opened(app_with(engines)) as page:  # the setting is kept
        await page.until_seen("2 threads · 1.2 GB")


async def test_in_a_narrow_pane_no_figure_is_cut_off_in_the_middle(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(100, 30)) as page:
        await page.ask("One?")
        await page.press("alt+l")
        await page.until_seen("whole answer · 20.0 tok/s · TTFT 0.25 s")
        status = page.seen.splitlines()[2]
        assert "…" not in status and "context" not in status


async def test_a_model_in_two_quantizations_is_told_apart_by_them(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        sources = page.session.pair.sources
        sources["tuned"] = replace(sources["base"], quantization="Q4_0")
        page.consult.answers.stand()
        await page.until_seen("A  base  Tiny base  Q8_0")
        assert "B  tuned  Tiny base  Q4_0" in page.seen


@pytest.mark.parametrize("width", [41, 80, 100, 120])
async def test_where_it_is_narrow_the_models_name_gives_way_and_nothing_else(
    engines: FakeEngines, width: int
) -> None:
    engines.script.name = "A-model-with-a-name-longer-than-any-header-has-room-for-v2"
    async with opened(engines, size=(width, 36)) as page:
        text = page.seen
        first = next(line for line in text.splitlines() if " A  base  " in line)
        assert first.split(" B  ")[0].rstrip(" ▕").endswith("-v2 base")
        second = next(line for line in text.splitlines() if " B  tuned  " in line)
        assert "…" in second and second.endswith("tuned + adapter")


async def test_ctrl_j_goes_to_a_new_line_and_enter_sends(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.press("a", "ctrl+j", "b", "enter")
        await page.until_answered()
        assert engines.last.asked[0]["base"].messages[-1].content == "a\nb"


async def test_keys_that_come_in_one_burst_take_effect_in_their_order(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        for key, character in [
            *((letter, letter) for letter in "first"),
            ("ctrl+j", "\n"),
            *((letter, letter) for letter in "line"),
            ("enter", "\r"),
            *((letter, letter) for letter in "next"),
        ]:
            page.app.post_message(events.Key(key, character))
        await page.until_answered()
        assert engines.last.asked[0]["base"].messages[-1].content == "first\nline"
        assert page.consult.composer.text == "next"


async def test_an_empty_question_is_not_sent(engines: FakeEngines) -> None:
    async with opened(engines, notifications=True) as page:
        await page.press("space", "ctrl+j", "enter")
        await page.until_seen("Write a question first.")
        assert page.turns == []
        assert engines.last.asked == []


async def test_a_second_question_goes_with_each_panes_own_history(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?", "Two?")
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
    async with opened(engines, ready=False) as page:
        await page.until_seen("loading 43 %")
        await page.press(*"Early?", "enter")
        await page.until_seen("Early?")
        assert engines.last.asked == []
        engines.script.hold_loading.set()
        await page.until_answered()
        assert answer_of("tuned", "Early?") in page.seen


async def test_escape_stops_the_loading_and_it_can_be_started_again(
    engines: FakeEngines,
) -> None:
    engines.script.hold_loading = asyncio.Event()
    async with opened(engines, ready=False) as page:
        await page.until_seen("loading 43 %")
        await page.press(*"Early?", "enter")
        await page.until(lambda: page.turns)
        await page.press("escape")
        await page.until_seen("loading stopped")
        assert "Loading was stopped." in page.seen
        assert page.consult.composer.text == "Early?"
        engines.script.hold_loading.set()
        await page.press("ctrl+r")
        await page.until_ready()
        assert "Loading was stopped." not in page.seen


async def test_escape_stops_both_panes_and_keeps_and_marks_what_was_written(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("Long?")
        await page.until_seen("writing")
        await page.press("escape")
        await page.until_answered()
        first, second = page.views("base")[0], page.views("tuned")[0]
        shown = first.turn.shown("base")
        assert shown is not None and shown.text == "The "
        assert "stopped" in foot(first) and "stopped" in foot(second)
        assert page.consult.panes["base"].status == "not whole: stopped"


async def test_escape_right_after_enter_stops_what_is_only_about_to_be_written(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()  # never set: only a stop ends it
    async with opened(engines) as page:
        page.consult._begin("Why?")
        page.consult.action_stop()
        await page.until_answered()
        for pane in page.consult.panes.all:
            assert pane.status == "not whole: stopped"


async def test_escape_in_a_pane_stops_that_pane_alone(engines: FakeEngines) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("Long?")
        await page.until_seen("writing")
        await page.focus(page.consult.panes["base"].turns)
        await page.press("escape")
        await page.until(lambda: "stopped" in foot(page.views("base")[0]))
        engines.script.hold.set()
        await page.until_answered()
        assert answer_of("tuned", "Long?") in page.seen
        assert page.consult.panes["base"].status == "not whole: stopped"


async def test_a_question_has_to_wait_for_the_answers_and_stays_in_the_composer(
    engines: FakeEngines,
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines, notifications=True) as page:
        await page.send("One?")
        await page.until_seen("writing")
        await page.send("Two?")
        await page.until_seen("still being written")
        assert page.consult.composer.text == "Two?"
        engines.script.hold.set()
        await page.until_answered()


async def test_the_death_of_the_models_is_said_and_they_can_be_started_again(
    engines: FakeEngines,
) -> None:
    engines.script.dies = True
    async with opened(engines) as page:
        await page.send("Fatal?")
        await page.until_seen("this computer ran out of memory")
        await page.until_seen("the models stopped by themselves, before")
        assert "base.gguf" not in page.seen and "process" not in page.seen
        status = "not whole: failed · not running"
        await page.until(lambda: page.consult.panes["base"].status == status)
        assert "Start the models again" in page.seen
        await page.press("f10")
        await page.until_seen("base.gguf: the process that ran this model was killed")
        await page.press("escape")
        await page.until_back()
        await page.push("#restart")
        await until_ready_again(page, engines)
        assert "Start the models again" not in page.seen
        await page.ask("And now?")
        assert answer_of("base", "And now?") in page.seen
        # The broken answer is not part of what the model is asked with.
        assert len(engines.last.asked[-1]["base"].messages) == 1


@pytest.mark.parametrize("cause", ["memory", "file", "program", "unknown"])
async def test_in_blind_mode_a_death_points_to_no_details_that_are_hidden(
    engines: FakeEngines, cause: CauseOfDeath
) -> None:
    engines.script.dies, engines.script.dies_of = True, cause
    async with opened(engines) as page:
        await page.press("alt+h")
        await page.send("Fatal?")
        await page.until_seen("The models have stopped")
        await page.until_seen("What they wrote is kept.")
        assert "F10" not in page.seen


async def until_ready_again(page: Page, engines: FakeEngines) -> None:
    pair = page.session.pair
    await page.until(lambda: engines.last.starts == 2 and pair.settled.is_set())
    await page.until(lambda: pair.state == "ready")
    await page.pause()


async def test_asking_after_a_death_starts_the_models_by_itself(
    engines: FakeEngines,
) -> None:
    engines.script.dies = True
    async with opened(engines) as page:
        await page.send("Fatal?")
        await page.until_seen("The models have stopped")
        await page.ask("And now?")
        assert answer_of("tuned", "And now?") in page.seen


async def test_an_error_that_is_no_death_is_said_in_the_pane(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:

        def broken(pane: PaneName, question: Question) -> TooLong | None:
            raise EngineError("The template of the model refuses this [/b] question.")

        engines.script.too_long = broken
        await page.ask("Odd?")
        assert "refuses this [/b] question." in page.seen


async def test_a_model_that_cannot_be_loaded_is_named_with_the_reason(
    engines: FakeEngines,
) -> None:
    engines.script.load_error = ModelFileError(
        "/models/base.gguf: the file ends in the middle of tensor 7."
    )
    async with opened(engines, ready=False) as page:
        await page.until_seen("in the middle of tensor 7.")
        assert "not loaded" in page.seen
        engines.script.load_error = None
        await page.press("ctrl+r")
        await page.until_ready()


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
    async with opened(engines) as page:
        for count, question in enumerate(["One?", "Two?"], start=1):
            await page.send(question)
            await page.until_answered(count)
        engines.script.too_long = too_long_from(1)
        await page.send("Three?")
        await page.until_seen("would be asked with")
        said = page.seen
        assert "5,200 tokens; 5,000 fit." in said
        assert "Leave out the 2 oldest turns" in said
        assert page.consult.composer.text == "Three?"
        await page.push("#yes")
        await page.until_answered(3)
        assert [m.content for m in engines.last.asked[-1]["base"].messages] == [
            "Three?"
        ]
        assert page.consult.composer.text == ""
        assert "no longer sent" in foot(page.views("base")[0])
        assert answer_of("base", "One?") in page.seen


async def test_a_question_that_is_too_long_by_itself_goes_back_to_be_edited(
    engines: FakeEngines,
) -> None:
    engines.script.too_long = lambda pane, question: TooLong(
        pane=pane, tokens=300_000, fits=3584, droppable=()
    )
    question = "word " * 200_000
    async with opened(engines) as page:
        page.consult.composer.text = question
        await page.press("enter")
        await page.until_seen("would be asked with")
        said = page.seen
        assert "300,000 tokens; 3,584 fit." in said
        assert "Leave out" not in said
        await page.press("escape")
        await page.until(lambda: not isinstance(page.screen, Decision))
        assert page.consult.composer.text == question.strip()
        assert page.turns == []


async def test_regenerating_asks_again_with_another_seed_and_keeps_both(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        engines.script.answers = {"base": ["Another one."], "tuned": ["Other too."]}
        await page.press("f5")
        await page.until_seen("Another one.")
        await page.until_answered()
        seeds = [asked["base"].sampling.seed for asked in engines.last.asked]
        assert seeds == [42, 43]
        assert len(engines.last.asked[1]["base"].messages) == 1
        assert "answer 2 of 2" in foot(page.views("base")[0])
        await page.press("alt+e")
        await page.until(lambda: answer_of("base", "One?") in page.seen)
        assert "answer 1 of 2" in foot(page.views("base")[0])


async def test_the_mode_can_be_switched_and_is_remembered(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.press("ctrl+t")
        await page.until_seen("not saved · asked in turn")
        await page.ask("One?")
        assert engines.last.modes == ["in-turn"]
        await page.app.workers.wait_for_complete()
    again = app_with(engines)
    async with opened(again) as page:
        assert "in turn" in page.seen


async def test_a_new_consultation_is_begun_after_a_word_of_warning(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("ctrl+n")
        await page.until_on_top(Decision)
        await page.press("escape")
        await page.until(lambda: not isinstance(page.screen, Decision))
        assert len(page.turns) == 1
        await page.press("ctrl+n")
        await page.until_seen("Begin anew")
        await page.push("#yes")
        await page.until(lambda: not page.turns)
        await page.until(lambda: "One?" not in page.seen)


async def test_a_base_model_alone_has_one_pane(engines: FakeEngines) -> None:
    async with opened(engines, Choice(base=PAIR.base)) as page:
        await page.ask("One?")
        assert "tuned" not in page.seen
        assert list(engines.last.asked[0]) == ["base"]


async def test_quitting_ends_the_models_process(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        await page.press("ctrl+q")
    assert engines.last.state == "closed"
    assert page.app.return_code == 0


async def test_the_program_can_be_left_while_the_models_are_loading(
    engines: FakeEngines,
) -> None:
    engines.script.hold_loading = asyncio.Event()
    async with opened(engines, ready=False) as page:
        await page.until_seen("loading 43 %")
        await page.press("ctrl+q")
        await page.until(lambda: page.app._exit)
    assert page.app.return_code == 0
    assert engines.last.state == "closed"


async def test_quitting_does_not_wait_for_an_engine_that_hangs(
    engines: FakeEngines,
) -> None:
    async with opened(engines) as page:

        async def hangs() -> None:
            await asyncio.Event().wait()

        engines.last.close = hangs
        begin = asyncio.get_running_loop().time()
        await page.press("ctrl+q")
        await page.until(lambda: page.app._exit)
        assert asyncio.get_running_loop().time() - begin < 4
