"""The screen where one question is put to two models.

It stands of parts, and asks. `Panes` are read in, `Answers` draws what stands there,
`Loader`, `AnswerComparison` and `Records` do what can be done with models, answers and
records.
"""

from __future__ import annotations

import asyncio
import re

from textual import on
from textual.app import ComposeResult
from textual.widgets import TextArea

from medassist.core.clean import clean
from medassist.core.values import PaneName, TooLong
from medassist.session.pair import Pair
from medassist.session.session import OpenQuestion, Session
from medassist.tui import keys
from medassist.tui.consult.answers import Answers
from medassist.tui.consult.attachments import Attachments, mentioned
from medassist.tui.consult.comparison import AnswerComparison
from medassist.tui.consult.composer import Composer
from medassist.tui.consult.flag_panel import FlagPanel
from medassist.tui.consult.global_line import GlobalLine
from medassist.tui.consult.key_line import KeyLine
from medassist.tui.consult.loader import Loader
from medassist.tui.consult.pane_search import Search
from medassist.tui.consult.panes import Panes
from medassist.tui.consult.records import Records
from medassist.tui.consult.trouble import Trouble
from medassist.tui.consult.turn_view import read_markdown
from medassist.tui.dialogs.decision import Decision
from medassist.tui.face import Face
from medassist.tui.line import Line
from medassist.tui.screen_of_parts import ScreenOfParts
from medassist.tui.wording import consult as wording

SLASH = re.compile(r"/([A-Za-z_-]+)")
"""A command in the place of a question."""
LEAST_WIDTH = 40
LEAST_HEIGHT = 12
STACKED_BELOW = 100
TOO_SMALL = wording.TOO_SMALL.format(width=LEAST_WIDTH, height=LEAST_HEIGHT)


class ConsultScreen(ScreenOfParts[None]):
    """Two panes, one composer.

    Args:
        face: The program that shows it.
        pair: The models to begin with.
    """

    BINDINGS = keys.bindings("screen")
    HORIZONTAL_BREAKPOINTS = [
        (0, "-narrow"),
        (LEAST_WIDTH, "-stacked"),
        (STACKED_BELOW, "-beside"),
    ]
    VERTICAL_BREAKPOINTS = [
        (0, "-low"),
        (LEAST_HEIGHT, "-short"),
        (30, "-tall"),
    ]

    def __init__(self, face: Face, pair: Pair) -> None:
        super().__init__()
        self._face = face
        self.top = GlobalLine()
        self.notice = Line(classes="notice")
        self.flag_panel = FlagPanel()
        self.panes = Panes()
        self.search = Search(self.panes)
        self.trouble = Trouble()
        self.composer = Composer(self._questions, self.panes.page)
        self.too_small = Line(TOO_SMALL, id="too-small")
        self.session = Session(pair, self, self.flag_panel)
        self.answers = Answers(face, self.session, self.panes, self.top)
        self.comparison = AnswerComparison(
            face, self.session, self.answers, self.composer
        )
        self.loader = Loader(
            face,
            self.session,
            self.answers,
            self.comparison,
            self.composer,
            self.trouble,
            self.notice,
        )
        self.attachments = Attachments(face, self.session, self.composer)
        self.records = Records(face, self.session, self.answers, self.composer)

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.notice
        yield self.flag_panel
        yield self.panes
        yield self.search
        yield self.trouble
        yield self.composer
        yield KeyLine()
        yield self.too_small

    def on_mount(self) -> None:
        self.composer.focus()
        self.top.mode = self._face.mode
        self.watch(self.flag_panel, "titles", self._say_too_small)
        self.loader.show_panes()

    def on_resize(self) -> None:
        # Of a lower window of the same width the panel itself hears nothing.
        self.flag_panel.fit()

    def _questions(self) -> list[str]:
        return [turn.question for turn in self.session.consultation.turns]

    # What the session tells

    def say(self, sentence: str, warning: bool = False) -> None:
        """Tell the user something that needs no answer."""
        self._face.say(sentence, warning)

    def record_changed(self) -> None:
        """Take note that the way of keeping the consultation has changed."""
        self.top.saved = self.session.record.word

    def _say_too_small(self, titles: str) -> None:
        # Where no pane has room any more, the flags still do.
        self.too_small.say(f"{titles} {TOO_SMALL}" if titles else TOO_SMALL)

    # Asking

    @on(TextArea.Changed, "#composer")
    def _on_typed(self) -> None:
        # Alone in the composer it is the beginning of no question.
        if self.composer.text == "/" and self._face.run_command("palette"):
            self.composer.text = ""

    def action_send(self) -> None:
        # Behind the keys that were typed before it and have not reached the text yet.
        self.composer.call_later(self._send)

    def _send(self) -> None:
        written = self.composer.text
        question = clean(written).strip()
        if not question:
            self.say(wording.WRITE_FIRST)
        elif command := SLASH.fullmatch(question):
            if self._face.run_command(command[1]):
                self.composer.taken(written)
            else:
                self.say(self._face.keymap.name(wording.no_command(command[1])))
        elif mention := mentioned(question):
            self.run_worker(self.attachments.put(mention), group="attach")
        elif not self._can_ask():
            return
        elif self.session.record.is_open:
            work = self._send_to_be_saved(question, written)
            self.run_worker(work, group="records")
        else:
            self.composer.taken(written)
            self._begin(question)

    def _can_ask(self, if_failed: bool = False) -> bool:
        """Whether the pair can be asked, if need be once it is loaded again.

        Args:
            if_failed: Load again also where loading has failed.
        """
        runs = self.session.pair.runs
        return self.answers.are_over() and (runs or self.loader.wake(if_failed))

    async def _send_to_be_saved(self, question: str, written: str) -> None:
        cleared = await self.records.cleared(question)
        if cleared is not None and self.session.consultation.over:
            self.composer.taken(written)
            self._begin(cleared)

    def action_regenerate(self) -> None:
        if not self.session.consultation.turns:
            self.say(wording.NO_QUESTION)
        elif self._can_ask(if_failed=True):
            self._begin(None)

    def action_write_on(self, pane: PaneName | None = None) -> None:
        """Write on what was cut off in `pane`, else in the one that has the focus."""
        pane = pane or self.panes.focused
        panes = (pane,) if pane else self.session.pair.panes
        if not self._can_ask():
            return
        able: list[PaneName] = [
            pane for pane in panes if not self.session.cut_off(pane)
        ]
        if not able:
            self.say(self._face.keymap.name(self.session.cut_off(panes[0])))
            return
        self.run_worker(self._answer(self.session.go_on(able)), group="answer")

    def _begin(self, question: str | None) -> None:
        """Ask `question`, or where it is `None` the last one again."""
        settings = self._face.settings_now
        asked = self.session.begin(question, settings.sampling.seed if settings else 0)
        self.run_worker(self._answer(asked), group="answer")

    async def _answer(self, asked: OpenQuestion) -> None:
        await self.answers.show_turns()
        settings = await self._face.settings()
        outcome = await self.answers.draw_while(
            self.session.answer(asked, settings, self._face.mode)
        )
        if not outcome.ready:
            await self._take_back(asked)
        elif outcome.too_long:
            await self._too_long(outcome.too_long, asked)
        else:
            self.loader.say_trouble()
            if self.session.consultation.over:  # else asked anew while it was drawn
                self.session.pair.prepare(self.session.consultation)
            await self.loader.learn_files()

    async def _take_back(self, asked: OpenQuestion) -> str:
        question = self.session.take_back(asked)
        if not asked.again:
            self.composer.put(question)
        await self.answers.show_turns()
        return question

    async def _too_long(
        self, excesses: tuple[TooLong, ...], asked: OpenQuestion
    ) -> None:
        surplus = self.session.consultation.turns_in_excess(excesses)
        question = await self._take_back(asked)
        if asked.goes_on:
            self.say(self._face.keymap.name(wording.NO_ROOM_TO_GO_ON), warning=True)
            return
        yes, no = wording.ways_out(len(surplus), asked.again)
        sides = self.session.consultation.sides
        text = wording.too_long(excesses, len(surplus), sides)
        wider = await asyncio.to_thread(self.session.pair.wider)
        besides = wording.load_again(wider) if wider is not None else ""
        decision = Decision(wording.TOO_LONG, text, yes, no, besides)
        agreed = await self._face.push_screen_wait(decision)
        if wider is not None and decision.took_besides:
            await self.loader.load_with(wider)
        if not agreed:
            return
        self.session.leave_out(surplus)
        if self.composer.text == question:
            self.composer.text = ""
        self._begin(None if asked.again else question)

    def action_stop(self) -> None:
        consultation = self.session.consultation
        if self.search.is_open:
            self.search.close()
            self.composer.focus()
        elif self.session.pair.state == "loading":
            self.session.stop()
        elif not consultation.over:
            # While names are hidden nobody can tell what a pane has written.
            self.session.stop(None if consultation.sides.hidden else self.panes.focused)
        else:
            self.comparison.leave_editing()

    def action_new(self) -> None:
        if self.answers.are_over() and self.session.consultation.turns:
            self.run_worker(self._new(), group="new", exclusive=True)
        self.composer.focus()

    async def _new(self) -> None:
        saved = await self.session.record.save()
        if saved or await self._face.push_screen_wait(Decision(*wording.NEW)):
            self.session.new(self.comparison.new_consultation())
            await self.answers.show()

    def action_prompts(self) -> None:
        from medassist.tui.screens.prompt_library import PromptLibrary

        def insert(text: str | None) -> None:
            if text:
                self.composer.insert_prompt(text)

        self._face.push_screen(PromptLibrary(), insert)

    # Reading

    def action_next_pane(self) -> None:
        self.focus_next()

    def action_scroll_together(self) -> None:
        self._scroll_together(not self.panes.scrolls_together)
        self._face.keep("scroll_together", self.panes.scrolls_together)

    def _scroll_together(self, together: bool) -> None:
        self.panes.scrolls_together = self.top.scrolls_together = together

    def warm(self) -> None:
        """Import in the background what the first answer would else wait for."""
        self.session.red_flags.warm()
        self.run_worker(asyncio.to_thread(read_markdown), group="warm")

    async def take_settings(self) -> None:
        """Apply the settings, after the first frame, which waits for no file."""
        settings = await self._face.settings()
        self._scroll_together(settings.scroll_together)

    async def action_figures(self) -> None:
        settings = await self._face.settings()
        settings.figures = not settings.figures
        self._face.keep("figures", settings.figures)
        self.answers.stand()
        self.answers.draw_lines()

    def action_red_flags(self) -> None:
        red_flags = self.session.red_flags
        shown = red_flags.shown
        if not shown:
            from medassist.safety.language import NOTICE

            self.say(
                red_flags.problem
                or (NOTICE if red_flags.foreign else "")
                or wording.NO_FLAG
            )
            return
        from medassist.tui.dialogs.flag_details import FlagDetails

        def mark(read: bool | None) -> None:
            if read:
                red_flags.mark_read(shown)

        self._face.push_screen(FlagDetails(shown), mark)

    async def action_thinking(self) -> None:
        pair = self.session.pair
        if pair.state != "ready":
            self.say(wording.NOT_LOADED_YET)
        elif not pair.has_thinking_switch:
            self.say(wording.NO_THINKING_SWITCH)
        else:
            chosen = pair.switch_thinking(await self._face.settings())
            self.say(f"{wording.THINKING[chosen]} {wording.FROM_THE_NEXT}")
            self.answers.draw_lines()

    def action_mode(self) -> None:
        mode = "in-turn" if self._face.mode == "together" else "together"
        self._face.choose_mode(mode)
        self.top.mode = mode
        if not self.session.consultation.over:
            self.say(wording.FROM_THE_NEXT)
