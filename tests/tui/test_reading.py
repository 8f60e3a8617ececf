from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Button, Static

from medassist.core.clean import clean
from medassist.tui.consult.pane import MOUNTED
from medassist.tui.consult.panes import Panes
from medassist.tui.consult.turn_view import AnswerText
from medassist.tui.dialogs.verdict import VerdictPanel
from medassist.tui.line import Line
from tests.core.nasty import CONTROL, MARKUP
from tests.stubs.engine import FakeEngines, answer_of
from tests.tui.page import copied_by, opened

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
    async with opened(engines) as page:
        await page.ask("One?")
        panes = page.consult.panes
        assert beside(panes)
        await page.pilot.resize_terminal(80, 24)
        await page.until(lambda: stacked(panes))
        assert answer_of("base", "One?") in page.seen
        assert answer_of("tuned", "One?") in page.seen
        await page.pilot.resize_terminal(100, 30)
        await page.until(lambda: beside(panes))


async def test_what_is_told_in_passing_leaves_the_composer_free(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24), notifications=True) as page:
        page.consult.say("Something that the user should know.", warning=True)
        await page.until_seen("Something that the user should know.")
        toast = page.screen.query_one("Toast").region
        assert toast.bottom <= page.consult.composer.region.y


async def test_what_is_told_in_passing_covers_no_button_of_a_dialog(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24), notifications=True) as page:
        await page.ask("One?")
        await page.press("f8")
        await page.until_on_top(VerdictPanel)
        page.consult.say("Something that the user should know.", warning=True)
        await page.until_seen("Something that the user should know.")
        toast = page.screen.query_one("Toast").region
        buttons = page.screen.query(Button)
        assert len(buttons) > 8
        assert not any(toast.overlaps(button.region) for button in buttons)


async def test_what_comes_below_an_answer_later_is_said_to_be_there(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(80, 24)) as page:
        await page.ask("One?")
        pane = page.consult.panes["tuned"]
        await page.until(lambda: pane.turns.max_scroll_y == 0)
        late = "\n".join(f"Line {n}" for n in range(30))
        await page.views("tuned")[-1].mount(Static(late))
        await page.until(lambda: pane.turns.has_more)
        await page.until_seen("more below")


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (39, 30), (120, 6)])
async def test_a_window_too_small_asks_for_a_larger_one_and_nothing_is_lost(
    engines: FakeEngines, size: tuple[int, int]
) -> None:
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("One?")
        await page.until_seen("writing")
        page.consult.composer.text = "half a quest"
        await page.pilot.resize_terminal(*size)
        if size != (1, 1):
            await page.until_seen("make the")
        engines.script.hold.set()
        await page.until_answered()
        await page.pilot.resize_terminal(*SIZE)
        await page.until_seen("half a quest")
        await page.until(lambda: answer_of("base", "One?") in page.seen)
        assert "make the" not in page.seen


async def test_the_program_can_be_started_in_a_window_of_20_by_5(
    engines: FakeEngines,
) -> None:
    async with opened(engines, size=(20, 5), ready=False) as page:
        await page.until(lambda: page.session.pair.state == "ready")
        assert "make the" in page.seen


async def test_resizing_while_answers_are_written_loses_nothing(
    engines: FakeEngines,
) -> None:
    words = [f"word{n} " for n in range(200)]
    engines.script.answers = {"base": words, "tuned": words}
    async with opened(engines) as page:
        await page.send("One?")
        for size in [(80, 24), (41, 13), (20, 5), (200, 60), (99, 20), (120, 36)]:
            await page.pilot.resize_terminal(*size)
        await page.until_answered()
        assert "word199" in page.seen


async def test_one_pane_can_have_the_whole_width(engines: FakeEngines) -> None:
    async with opened(engines) as page:
        panes = page.consult.panes
        await page.press("f2")
        await page.until(lambda: panes["base"].region.width == SIZE[0])
        assert not panes["tuned"].display
        await page.press("f2")
        await page.until(lambda: panes["tuned"].region.width == SIZE[0])
        await page.press("f2")
        await page.until(lambda: beside(panes))
        await page.focus(panes["tuned"].turns)
        await page.press("f2")
        await page.until(lambda: panes["tuned"].region.width == SIZE[0])
        await page.press("f2")
        await page.until(lambda: beside(panes))


async def test_both_panes_are_scrolled_in_step_to_the_same_place_of_the_same_turn(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": [LONG, "\n\nMore."]}
    async with opened(engines) as page:
        await page.ask(*(f"{turn}?" for turn in range(1, 4)))
        base, tuned = (
            page.consult.panes["base"].turns,
            page.consult.panes["tuned"].turns,
        )
        await page.focus(tuned)
        await page.press("home")
        first = page.turns[0]
        await page.until(lambda: base.place() == (first, 0))
        await page.press("down", "down", "down", "pagedown")
        await page.until(lambda: tuned.scroll_y > 10)
        await page.until(lambda: base.place() == tuned.place())
        await page.press("f3")
        assert "scrolling apart" in page.seen
        before = base.place()
        await page.press("end")
        await page.until(lambda: (tuned.place() or [None])[0] is not first)
        assert base.place() == before
    async with opened(engines) as page:  # the choice is kept
        await page.until_seen("scrolling apart")


async def test_a_growing_answer_is_followed_until_its_question_would_leave(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG, "\n\nThe end."], "tuned": ["Short."]}
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("One?")
        await page.until_seen("Paragraph 10")
        engines.script.hold.set()
        await page.until_answered()
        assert page.seen.count("One?") == 2 and "The end." not in page.seen
        engines.script.answers = {}
        await page.ask("Two?")
        await page.until(lambda: answer_of("base", "Two?") in page.seen)


async def test_below_a_long_story_the_answer_is_seen_and_so_is_the_storys_end(
    engines: FakeEngines,
) -> None:
    story = "\n".join(f"Line {n} of the story." for n in range(60)) + "\nWhat now?"
    async with opened(engines, size=(80, 24)) as page:
        page.consult.composer.text = story
        await page.press("enter")
        await page.until_answered()
        for pane in ("base", "tuned"):
            said = answer_of(pane, story)[:16]
            await page.until(lambda said=said: said in page.seen)
        assert page.seen.count("What now?") == 2


async def test_a_question_that_has_left_stands_pinned_above_its_answer(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": ["Short."]}
    async with opened(engines) as page:
        await page.ask("What about\nall of this?")
        base = page.consult.panes["base"]
        pinned = base.query_one(".pinned", Line)
        assert not pinned.display
        await page.focus(base.turns)
        await page.press("end")
        await page.until(lambda: pinned.display)
        assert pinned.text == "What about all of this?"
        assert "Paragraph 59" in page.seen
        await page.press("home")
        await page.until(lambda: not pinned.display)


async def test_the_end_is_followed_where_one_has_gone_and_nothing_is_by_who_scrolls(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG, "\n\nThe end."], "tuned": ["Short."]}
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("One?")
        await page.until_seen("Paragraph 10")
        await page.focus(page.consult.panes["base"].turns)
        await page.press("end")
        await page.until_seen("Paragraph 59")
        engines.script.hold.set()
        await page.until_answered()
        assert "The end." in page.seen


async def test_a_slow_computer_may_draw_the_end_of_a_scroll_in_one_step(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": [LONG]}
    async with opened(engines) as page:
        await page.ask("One?")
        turns = page.consult.panes["base"].turns
        await page.focus(turns)
        turns.scroll_to(y=20, animate=False)
        await page.until(lambda: page.seen.count("One?") == 2)  # pinned in both panes
        # The first step of the movement is its last one, many lines further down.
        end = turns.max_scroll_y + turns.size.height
        turns.scroll_to(y=end, animate=True, duration=0.001)
        await page.until(lambda: turns.is_anchored and not turns.has_more)
        await page.ask("Two?")  # the program has not ended over it


async def test_who_pages_down_to_the_end_has_it_followed(engines: FakeEngines) -> None:
    engines.script.answers = {"base": [LONG], "tuned": [LONG]}
    async with opened(engines) as page:
        await page.ask("One?")
        turns = page.consult.panes["base"].turns
        await page.focus(turns)
        while turns.has_more:
            await page.press("pagedown")
            await page.pilot.wait_for_animation()
        await page.until(lambda: turns.is_anchored)


async def test_a_pane_is_left_where_the_user_has_scrolled(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG, "\n\nThe end."], "tuned": ["Short."]}
    engines.script.hold = asyncio.Event()
    async with opened(engines) as page:
        await page.send("One?")
        await page.until_seen("Paragraph 10")
        turns = page.consult.panes["base"].turns
        await page.focus(turns)
        await page.press("home")
        await page.until(lambda: turns.scroll_y == 0)
        engines.script.hold.set()
        await page.until_answered()
        assert turns.scroll_y == 0
        assert "The end." not in page.seen
        await page.send("Two?")
        await page.until_seen("Two?")


async def test_the_page_keys_scroll_the_panes_from_the_composer(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {"base": [LONG], "tuned": [LONG]}
    async with opened(engines) as page:
        await page.ask("One?")
        turns = page.consult.panes["base"].turns
        await page.press("pagedown")
        await page.until(lambda: turns.scroll_y > 10)
        await page.press("pageup")
        # The pinned question has taken a line of the page.
        await page.until(lambda: turns.scroll_y <= 1)


async def test_old_turns_are_laid_out_on_demand_only(engines: FakeEngines) -> None:
    turns = MOUNTED + 3
    async with opened(engines) as page:
        await page.ask(*(f"Number {turn}?" for turn in range(1, turns + 1)))
        assert len(page.views("base")) == MOUNTED
        await page.focus(page.consult.panes["base"].turns)
        await page.press("home")
        await page.until_seen("Show earlier (3 turns)")
        await page.push("#base .earlier")
        await page.until(lambda: len(page.views("base")) == turns)
        await page.press("home")
        await page.until_seen("Number 1?")
        assert "Show earlier" not in page.seen
        assert len(engines.last.asked[-1]["base"].messages) == 2 * turns - 1


async def test_the_answers_are_copied_and_copied_is_said_only_when_it_is_so(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = copied_by(monkeypatch, works=True)
    async with opened(engines, notifications=True) as page:
        await page.press("f9")
        await page.until_seen("no answer to copy yet")
        await page.ask("One?")
        await page.press("f9")
        await page.until_seen("Copied both answers.")
        await page.focus(page.consult.panes["tuned"].turns)
        await page.press("f9")
        await page.until_seen("Copied the answer.")
    base, tuned = answer_of("base", "One?"), answer_of("tuned", "One?")
    assert texts == [f"A (base)\n{base}\n\nB (tuned)\n{tuned}", tuned]


async def test_without_a_clipboard_program_the_terminal_is_asked_and_that_is_said(
    engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_by(monkeypatch, works=False)
    engines.script.answers = {"base": ["\x1b]52;c;ZXZpbA==\x07Good."], "tuned": ["x"]}
    async with opened(engines, notifications=True) as page:
        await page.ask("One?")
        await page.focus(page.consult.panes["base"].turns)
        await page.press("f9")
        await page.until_told("your terminal decides")
        assert page.app.clipboard == "Good."


def pieces(text: str, size: int) -> list[str]:
    return [text[:end] for end in range(size, len(text) + size, size)]


async def test_nothing_that_a_model_writes_can_break_the_screen(
    engines: FakeEngines,
) -> None:
    control = "\n\n".join(text for text, _ in CONTROL.values())
    texts = [control, *MARKUP.values()]
    async with opened(engines) as page:
        place = page.consult.panes["base"].turns.page
        for text in texts:
            for size in (max(1, len(text)), max(3, len(text) // 5)):
                answer = AnswerText()
                await place.mount(answer)
                for part in pieces(text, size):
                    await answer.draw(part)
                await page.pause()
                shown = page.seen
                assert not [c for c in shown if not c.isprintable() and c not in KEPT]
                assert answer.shown == clean(text)
                await answer.remove()
        await page.ask("And after all that?")
        assert answer_of("base", "And after all that?") in page.seen


@pytest.mark.parametrize("name", ["closing tag", "action", "link to an action", "html"])
async def test_brackets_and_links_stand_there_as_they_were_written(
    engines: FakeEngines, name: str
) -> None:
    engines.script.answers = {"base": [MARKUP[name]], "tuned": list(MARKUP[name])}
    async with opened(engines) as page:
        await page.ask("One?")
        first_line = MARKUP[name].split("\n")[0]
        assert page.seen.count(first_line) == 2


async def test_what_lies_too_deep_for_markdown_is_shown_as_plain_text(
    engines: FakeEngines,
) -> None:
    deep = "> " * 40 + "the point"
    engines.script.answers = {"base": ["First.\n\n", deep], "tuned": [deep]}
    async with opened(engines) as page:
        await page.ask("One?")
        assert page.seen.count("the point") == 2


async def test_lines_stay_lines(engines: FakeEngines) -> None:
    engines.script.answers = {"base": ["Dose: 5 mg\nRoute: oral"], "tuned": ["x"]}
    async with opened(engines) as page:
        await page.ask("One?")
        lines = page.seen.splitlines()
        assert any("Dose: 5 mg" in line and "Route" not in line for line in lines)


async def test_names_and_notices_from_a_model_file_are_cleaned(
    engines: FakeEngines,
) -> None:
    engines.script.name = "[/b]\x1b[31mEvil\nname"
    engines.script.notices = ("No template in \x1b]0;x\x07[/b] the file.",)
    async with opened(engines, notifications=True, ready=False) as page:
        await page.until_seen("No template in [/b] the file.")
        assert "[/b]Evil name base" in page.seen.splitlines()[1]


async def test_a_paste_is_cleaned_before_it_is_drawn_or_sent(
    engines: FakeEngines,
) -> None:
    from textual import events

    async with opened(engines) as page:
        page.app.post_message(
            events.Paste("Note\r\n\x1b]52;c;ZXZpbA==\x07fever \u202e93")
        )
        await page.until(lambda: "fever" in page.consult.composer.text)
        assert page.consult.composer.text == "Note\nfever 93"
        await page.press("enter")
        await page.until_answered()
        assert engines.last.asked[0]["base"].messages[-1].content == "Note\nfever 93"


async def test_an_answer_cut_off_at_its_length_says_so(engines: FakeEngines) -> None:
    engines.script.stop_reason = "length"
    async with opened(engines) as page:
        await page.ask("One?")
        assert "cut off at" in page.seen


async def test_headings_and_strong_words_are_bold_and_paragraphs_stand_apart(
    engines: FakeEngines,
) -> None:
    engines.script.answers = {
        "base": ["### Head\n\nTreat it as **grave** now.\n\n- One\n- Two\n\nEnd."],
        "tuned": ["No."],
    }
    async with opened(engines) as page:
        await page.ask("One?")
        await page.press("f2")
        panes = page.consult.panes
        await page.until(lambda: panes["base"].region.width == SIZE[0])
        lines = [line.strip(" ▕") for line in page.seen.splitlines()]
        at = lines.index("Head")
        assert lines[at : at + 7] == [
            "Head", "", "Treat it as grave now.", "", "• One", "• Two", "",
        ]  # fmt: skip
        bold = {
            segment.text.strip()
            for strip in page.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.bold
        }
        assert {"Head", "grave"} <= bold
