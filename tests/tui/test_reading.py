from __future__ import annotations

import asyncio

import pytest

from medassist.core.clean import clean
from medassist.tui.consult.answer_text import AnswerText
from medassist.tui.consult.pane import MOUNTED
from medassist.tui.consult.panes import Panes
from tests.core.nasty import CONTROL, MARKUP
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
KEPT = "\n\u200c\u200d\u200f"
"""Not printable, and yet part of a text: line ends and what scripts need."""
LONG = "\n\n".join(f"Paragraph {n} of a long answer." for n in range(60))


def beside(panes: Panes) -> bool:
    base, tuned = panes["base"].region, panes["tuned"].region
    return base.y == tuned.y and base.right <= tuned.x


def stacked(panes: Panes) -> bool:
    base, tuned = panes["base"].region, panes["tuned"].region
    return base.x == tuned.x and base.bottom <= tuned.y


async def test_the_panes_stack_where_it_is_narrow_and_keep_their_text(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        panes = app.consult.panes
        assert beside(panes)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: stacked(panes))
        assert answer_of("base", "One?") in seen(app.screen)
        assert answer_of("tuned", "One?") in seen(app.screen)
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: beside(panes))


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (39, 30), (120, 6)])
async def test_a_window_too_small_asks_for_a_larger_one_and_nothing_is_lost(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until(pilot, lambda: "writing" in seen(app.screen))
        app.consult.composer.text = "half a quest"
        await pilot.resize_terminal(*size)
        if size != (1, 1):
            await until(pilot, lambda: "make the" in seen(app.screen))
        engines.script.hold.set()
        await until_answered(pilot, app)
        await pilot.resize_terminal(*SIZE)
        await until(pilot, lambda: "half a quest" in seen(app.screen))
        await until(pilot, lambda: answer_of("base", "One?") in seen(app.screen))
        assert "make the" not in seen(app.screen)


async def test_the_program_can_be_started_in_a_window_of_20_by_5(
    engines: FakeEngines,
) -> None:
    app = app_with(engines)
    async with app.run_test(size=(20, 5)) as pilot:
        await until(pilot, lambda: app.consult.session.pair.state == "ready")
        assert "make the" in seen(app.screen)


async def test_resizing_while_answers_are_written_loses_nothing(
    engines: FakeEngines,
) -> None:
    words = [f"word{n} " for n in range(200)]
    engines.script.answers = {"base": words, "tuned": words}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        for size in [(80, 24), (41, 13), (20, 5), (200, 60), (99, 20), (120, 36)]:
            await pilot.resize_terminal(*size)
        await until_answered(pilot, app)
        assert "word199" in seen(app.screen)


async def test_one_pane_can_have_the_whole_width(engines: FakeEngines) -> None:
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        panes = app.consult.panes
        await pilot.press("f2")
        await until(pilot, lambda: panes["base"].region.width == SIZE[0])
        assert not panes["tuned"].display
        await pilot.press("f2")
        await until(pilot, lambda: panes["tuned"].region.width == SIZE[0])
        await pilot.press("f2")
        await until(pilot, lambda: beside(panes))
        await focus(pilot, panes["tuned"].turns)
        await pilot.press("f2")
        await until(pilot, lambda: panes["tuned"].region.width == SIZE[0])
        await pilot.press("f2")
        await until(pilot, lambda: beside(panes))


async def test_scrolling_together_brings_the_same_turn_to_the_top(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": ["Short.\n\n", LONG]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        for turn in range(1, 4):
            await ask(pilot, app, f"{turn}?")
            await until_answered(pilot, app, turns=turn)
        base, tuned = app.consult.panes["base"].turns, app.consult.panes["tuned"].turns
        await focus(pilot, tuned)
        await pilot.press("f3")
        assert "scrolling together" in seen(app.screen)
        await pilot.press("home")
        first = app.consult.session.consultation.turns[0]
        await until(pilot, lambda: (base.place() or [None])[0] is first)
        await focus(pilot, base)
        await pilot.press("end")
        await until(pilot, lambda: (tuned.place() or [None])[0] is not first)


async def test_a_pane_follows_the_answer_unless_the_user_has_scrolled_up(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG, "\n\nThe end."], "tuned": ["Short."]}
    engines.script.hold = asyncio.Event()
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until(pilot, lambda: "Paragraph 59" in seen(app.screen))
        turns = app.consult.panes["base"].turns
        await focus(pilot, turns)
        await pilot.press("home")
        await until(pilot, lambda: turns.scroll_y == 0)
        engines.script.hold.set()
        await until_answered(pilot, app)
        assert turns.scroll_y == 0
        assert "The end." not in seen(app.screen)
        await ask(pilot, app, "Two?")
        await until(pilot, lambda: "Two?" in seen(app.screen))


async def test_the_page_keys_scroll_the_panes_from_the_composer(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": [LONG]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        turns = app.consult.panes["base"].turns
        end = turns.scroll_y
        assert end > 0
        await pilot.press("pageup")
        await until(pilot, lambda: turns.scroll_y < end)


async def test_old_turns_are_laid_out_on_demand_only(engines: FakeEngines) -> None:
    app = app_with(engines)
    turns = MOUNTED + 3
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        for turn in range(1, turns + 1):
            await ask(pilot, app, f"Number {turn}?")
            await until_answered(pilot, app, turns=turn)
        assert len(views(app, "base")) == MOUNTED
        await focus(pilot, app.consult.panes["base"].turns)
        await pilot.press("home")
        await until(pilot, lambda: "Show earlier (3 turns)" in seen(app.screen))
        await push(pilot, "#base .earlier")
        await until(pilot, lambda: len(views(app, "base")) == turns)
        await pilot.press("home")
        await until(pilot, lambda: "Number 1?" in seen(app.screen))
        assert "Show earlier" not in seen(app.screen)
        assert len(engines.last.asked[-1]["base"].messages) == 2 * turns - 1


async def test_the_answers_are_copied_and_copied_is_said_only_when_it_is_so(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = copied_by(monkeypatch, works=True)
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until_ready(pilot, app)
        await pilot.press("f9")
        await until(pilot, lambda: "no answer to copy yet" in seen(app.screen))
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await pilot.press("f9")
        await until(pilot, lambda: "Copied both answers." in seen(app.screen))
        await focus(pilot, app.consult.panes["tuned"].turns)
        await pilot.press("f9")
        await until(pilot, lambda: "Copied the answer." in seen(app.screen))
    base, tuned = answer_of("base", "One?"), answer_of("tuned", "One?")
    assert texts == [f"A (base)\n{base}\n\nB (tuned)\n{tuned}", tuned]


async def test_without_a_clipboard_program_the_terminal_is_asked_and_that_is_said(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_by(monkeypatch, works=False)
    engines.script.answers = {"base": ["\x1b]52;c;ZXZpbA==\x07Good."], "tuned": ["x"]}
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        await focus(pilot, app.consult.panes["base"].turns)
        await pilot.press("f9")
        await until(pilot, lambda: "your terminal decides" in told(app))
        assert app.clipboard == "Good."


def pieces(text: str, size: int) -> list[str]:
    return [text[:end] for end in range(size, len(text) + size, size)]


async def test_nothing_that_a_model_writes_can_break_the_screen(
    engines: FakeEngines,
) -> None:
    control = "\n\n".join(text for text, _ in CONTROL.values())
    texts = [control, *MARKUP.values()]
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        page = app.consult.panes["base"].turns.page
        for text in texts:
            for size in (max(1, len(text)), max(3, len(text) // 5)):
                answer = AnswerText()
                await page.mount(answer)
                for part in pieces(text, size):
                    await answer.draw(part)
                await pilot.pause()
                shown = seen(app.screen)
                assert not [c for c in shown if not c.isprintable() and c not in KEPT]
                assert answer.shown == clean(text)
                await answer.remove()
        await ask(pilot, app, "And after all that?")
        await until_answered(pilot, app)
        assert answer_of("base", "And after all that?") in seen(app.screen)


@pytest.mark.parametrize("name", ["closing tag", "action", "link to an action", "html"])
async def test_brackets_and_links_stand_there_as_they_were_written(
    engines: FakeEngines, name: str
) -> None:
    engines.script.answers = {"base": [MARKUP[name]], "tuned": list(MARKUP[name])}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        first_line = MARKUP[name].split("\n")[0]
        assert seen(app.screen).count(first_line) == 2


async def test_what_lies_too_deep_for_markdown_is_shown_as_plain_text(
    engines: FakeEngines,
) -> None:
    deep = "> " * 40 + "the point"
    engines.script.answers = {"base": ["First.\n\n", deep], "tuned": [deep]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        assert seen(app.screen).count("the point") == 2


async def test_lines_stay_lines(engines: FakeEngines) -> None:
    engines.script.answers = {"base": ["Dose: 5 mg\nRoute: oral"], "tuned": ["x"]}
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        lines = seen(app.screen).splitlines()
        assert any("Dose: 5 mg" in line and "Route" not in line for line in lines)


async def test_names_and_notices_from_a_model_file_are_cleaned(
    engines: FakeEngines,
) -> None:
    engines.script.name = "[/b]\x1b[31mEvil\nname"
    engines.script.notices = ("No template in \x1b]0;x\x07[/b] the file.",)
    app = app_with(engines)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(pilot, lambda: "No template in [/b] the file." in seen(app.screen))
        assert "[/b]Evil name base" in seen(app.screen).splitlines()[1]


async def test_a_paste_is_cleaned_before_it_is_drawn_or_sent(
    engines: FakeEngines,
) -> None:
    from textual import events

    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        app.post_message(events.Paste("Note\r\n\x1b]52;c;ZXZpbA==\x07fever \u202e93"))
        await until(pilot, lambda: "fever" in app.consult.composer.text)
        assert app.consult.composer.text == "Note\nfever 93"
        await pilot.press("enter")
        await until_answered(pilot, app)
        assert engines.last.asked[0]["base"].messages[-1].content == "Note\nfever 93"


async def test_an_answer_cut_off_at_its_length_says_so(engines: FakeEngines) -> None:
    engines.script.stop_reason = "length"
    app = app_with(engines)
    async with app.run_test(size=SIZE) as pilot:
        await until_ready(pilot, app)
        await ask(pilot, app, "One?")
        await until_answered(pilot, app)
        assert "cut off at" in foot(views(app, "base")[0])
