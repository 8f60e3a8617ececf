"""The screen where one question is put to two models: asking, stopping, models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from textual import on

from medassist.consult.answer import Answer
from medassist.consult.consultation import Consultation, Excess
from medassist.consult.turn import PaneName, Turn
from medassist.privacy.clean import clean
from medassist.tui import keys
from medassist.tui.choice import Choice
from medassist.tui.pair import Pair
from medassist.tui.screens.decision import Decision
from medassist.tui.screens.panes import PanesScreen
from medassist.tui.widgets.consult import wording
from medassist.tui.widgets.consult.composer import Composer
from medassist.tui.widgets.consult.trouble import Trouble

if TYPE_CHECKING:
    from medassist.tui.app import ConsultApp

FASTEST_S = 0.1
SLOWEST_S = 1.0
SHARE = 10
"""Drawing takes at most about a tenth of the time: the models need the processor."""

STILL_WRITING = "The answers are still being written; Esc stops them."


class ConsultScreen(PanesScreen):
    """Two panes, one composer."""

    BINDINGS = keys.bindings("screen")

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self.consultation = Consultation()
        self._draws = False
        self._first_piece: dict[Answer, float] = {}

    @property
    def consult_app(self) -> ConsultApp:
        return cast("ConsultApp", self.app)  # pyright: ignore[reportUnknownMemberType]

    def on_mount(self) -> None:
        super().on_mount()
        self.have_panes(self.pair.panes)
        self._draw_lines()

    # Loading

    def load(self, former: Choice | None = None) -> None:
        """Load the pair in the background; `former` is offered if that fails."""
        self.pair.settled.clear()
        self.run_worker(self._load(former), group="load", exclusive=True)

    async def _load(self, former: Choice | None) -> None:
        self.trouble.say("")
        settings = await self.consult_app.settings()
        self._draw_while_busy()
        await self.pair.load(settings)
        self._name_models()
        self._draw_lines()
        for notice in self.pair.notices:
            self.say(notice, warning=True)
        if former is not None and self.pair.state in ("failed", "dead"):
            await self._choose(self.pair.trouble, former)
        else:
            self._say_trouble()

    def _name_models(self) -> None:
        for name, source in self.pair.sources.items():
            self.panes[name].name_model(source)
        shown = bool(self.pair.demonstration)
        self.notice.display = shown
        if shown:
            self.notice.say(f" {self.pair.notice}")

    def _say_trouble(self) -> None:
        sentence = self.pair.trouble
        if self.pair.state == "dead" and self._is_said(sentence):
            sentence = "The models' process has ended; the text above is kept."
        self.trouble.say(sentence)

    def _is_said(self, sentence: str) -> bool:
        turns = self.consultation.turns
        shown = [turns[-1].shown(pane) for pane in self.pair.panes] if turns else []
        return any(answer and answer.failure == sentence for answer in shown)

    @on(Trouble.Restart)
    def action_restart(self) -> None:
        if self.pair.state in ("stopped", "failed", "dead"):
            self.load()
            self.composer.focus()
        else:
            self.say("The models are running.")

    @on(Trouble.Choose)
    def action_models(self) -> None:
        if not self.consultation.over:
            self.say(STILL_WRITING)
            return
        self.run_worker(self._choose("", self.pair.choice), group="choose")

    async def _choose(self, problem: str, former: Choice) -> None:
        from medassist.tui.screens.choose import ChooseModels

        screen = ChooseModels(self.pair.choice, former, problem)
        choice = await self.consult_app.push_screen_wait(screen)
        if choice is None or (choice == self.pair.choice and not self.trouble.display):
            self._say_trouble()
            return
        await self.pair.close()
        self.pair = self.consult_app.new_pair(choice)
        self.have_panes(choice.panes)
        self._name_models()
        self.load(former=former)

    # Asking

    @on(Composer.Sent)
    async def _on_sent(self, event: Composer.Sent) -> None:
        question = event.text
        if not question:
            self.say("Write a question first.")
            return
        if not self.consultation.over:
            self.say(STILL_WRITING)
            return
        if self.pair.state == "failed":
            self.say("The models are not loaded; choose others or start them again.")
            return
        if self.pair.state in ("stopped", "dead"):
            self.load()
        self.composer.taken(event.written)
        self._begin(question)

    def action_regenerate(self) -> None:
        if not self.consultation.turns:
            self.say("There is no question yet.")
        elif not self.consultation.over:
            self.say(STILL_WRITING)
        else:
            if self.pair.state in ("stopped", "failed", "dead"):
                self.load()
            self._begin(None)

    def _begin(self, question: str | None) -> None:
        """Ask `question`, or where it is `None` the last one again."""
        sources = self.pair.sources
        if question is None:
            turn = self.consultation.regenerate(sources)
        else:
            turn = self.consultation.ask(question, sources, self._seed)
        asked: dict[PaneName, Answer] = {
            pane: turn.answers(pane)[-1] for pane in sources
        }
        self.run_worker(self._answer(turn, asked, question is None), group="answer")
        self._draw_while_busy()

    @property
    def _seed(self) -> int:
        settings = self.consult_app.settings_now
        return settings.sampling.seed if settings else 0

    async def _answer(
        self, turn: Turn, asked: Mapping[PaneName, Answer], again: bool
    ) -> None:
        await self._show_turns()
        pair = self.pair
        await pair.settled.wait()
        if pair.state != "ready":
            await self._take_back(asked, again)
            return
        settings = await self.consult_app.settings()
        sources = pair.sources
        for pane, answer in asked.items():
            answer.source = sources[pane]
            if not again:
                answer.seed = settings.sampling.seed
        excesses = await pair.ask(
            self.consultation, asked, settings, self.consult_app.mode
        )
        if excesses:
            await self._too_long(excesses, asked, again)
            return
        self._say_trouble()
        pair.prepare(self.consultation)

    async def _take_back(self, asked: Mapping[PaneName, Answer], again: bool) -> str:
        question = self.consultation.withdraw(tuple(asked))
        if not again:
            self.composer.put(question)
        await self._show_turns()
        return question

    async def _too_long(
        self,
        excesses: tuple[Excess, ...],
        asked: Mapping[PaneName, Answer],
        again: bool,
    ) -> None:
        surplus = self.consultation.turns_in_excess(excesses)
        question = await self._take_back(asked, again)
        yes, no = wording.ways_out(len(surplus), again)
        text = wording.too_long(excesses, len(surplus))
        if not await self.consult_app.push_screen_wait(
            Decision("This does not fit", text, yes, no)
        ):
            return
        for turn in surplus:
            turn.left_out = True
        if self.composer.text == question:
            self.composer.text = ""
        self._begin(None if again else question)

    def action_stop(self) -> None:
        if self.pair.state == "loading":
            self.pair.stop()
        elif not self.consultation.over:
            self.pair.stop(self.focused_pane)

    def action_new(self) -> None:
        if not self.consultation.over:
            self.say(STILL_WRITING)
        elif self.consultation.turns:
            self.run_worker(self._new(), group="new", exclusive=True)
        self.composer.focus()

    async def _new(self) -> None:
        text = "This consultation is not saved. A new one takes its place."
        question = Decision("New consultation", text, "Begin anew", "Go on with this")
        if await self.consult_app.push_screen_wait(question):
            self.consultation = Consultation()
            await self._show_turns()
            self._draw_lines()

    def action_mode(self) -> None:
        mode = "in-turn" if self.consult_app.mode == "together" else "together"
        self.consult_app.choose_mode(mode)
        self.draw_top()
        if not self.consultation.over:
            self.say("This holds from the next question on.")

    # What was answered

    def action_earlier_answer(self) -> None:
        if not self.consultation.over:
            self.say(STILL_WRITING)
            return
        turn = self.consultation.turns[-1] if self.consultation.turns else None
        pane = self.focused_pane
        names = (pane,) if pane else self.pair.panes
        changed = [turn.show_earlier(name) for name in names] if turn else []
        if any(changed):
            self.run_worker(self._draw_turns(), group="draw-turns")
        else:
            self.say("There is no other answer to the last question; F5 makes one.")

    def action_copy(self) -> None:
        turn = self.consultation.turns[-1] if self.consultation.turns else None
        pane = self.focused_pane
        names = (pane,) if pane else self.pair.panes
        answers: dict[PaneName, Answer | None] = {}
        if turn:
            answers = {name: turn.shown(name) for name in names}
        written: dict[PaneName, str] = {
            name: a.text for name, a in answers.items() if a and a.text.strip()
        }
        if not written:
            self.say("There is no answer to copy yet.")
            return
        text = wording.copied(written, headings=pane is None)
        self.consult_app.copy_and_tell(clean(text), wording.answers(len(written)))

    # Drawing

    def _draw_while_busy(self) -> None:
        if not self._draws:
            self._draws = True
            self.run_worker(self._draw_loop(), group="draw")

    @property
    def _busy(self) -> bool:
        return self.pair.state == "loading" or not self.consultation.over

    async def _draw_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while self._busy:
            began = loop.time()
            for pane in self.seen_panes:
                await pane.draw()
            self._draw_lines()
            cost = loop.time() - began
            await asyncio.sleep(min(SLOWEST_S, max(FASTEST_S, SHARE * cost)))
        self._draws = False
        await self._draw_turns()
        self._draw_lines()

    async def _show_turns(self) -> None:
        for pane in self.panes.values():
            await pane.show(self.consultation.turns)

    async def _draw_turns(self) -> None:
        for pane in self.panes.values():
            await pane.draw_all()

    def _draw_lines(self) -> None:
        for name in self.pair.panes:
            pane = self.panes[name]
            pane.say(self._status(name))
            pane.say_empty(wording.empty(self.pair.state))
        self.draw_top()

    def _status(self, name: PaneName) -> str:
        pair, turns = self.pair, self.consultation.turns
        answer = turns[-1].shown(name) if turns else None
        if pair.state != "ready" or answer is None:
            return wording.pair_status(pair.state, pair.fraction)
        now = asyncio.get_running_loop().time()
        seconds = None
        if answer.state == "writing":
            seconds = now - self._first_piece.setdefault(answer, now)
        else:
            self._first_piece.pop(answer, None)
        info = pair.infos.get(name)
        in_turn = self.consult_app.mode == "in-turn"
        context = info.context if info else None
        return wording.answer_status(answer, seconds, context, in_turn)

    def draw_top(self) -> None:
        infos = list(self.pair.infos.values())
        self.top.show(
            self.consult_app.mode,
            infos[0].threads if infos else None,
            self.pair.memory,
            self.scrolls_together,
        )
