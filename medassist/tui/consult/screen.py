"""The screen where one question is put to two models: asking, stopping, models."""

from __future__ import annotations

from functools import cached_property

from textual import on

from medassist.core.values import TooLong
from medassist.session.choice import Choice
from medassist.session.session import (
    NOT_LOADED,
    STARTED_AGAIN,
    STILL_WRITING,
    Asked,
)
from medassist.tui import keys
from medassist.tui.consult import wording
from medassist.tui.consult.answers import AnswersScreen
from medassist.tui.consult.composer import Composer
from medassist.tui.consult.records import Keeping
from medassist.tui.consult.trouble import Trouble
from medassist.tui.dialogs.decision import Decision


class ConsultScreen(AnswersScreen):
    """Two panes, one composer."""

    BINDINGS = keys.bindings("screen")

    @cached_property
    def keeping(self) -> Keeping:
        """What can be done with the records."""
        return Keeping(self)

    def on_mount(self) -> None:
        super().on_mount()
        opens = keys.keys_of(keys.command("red_flags"), self.consult_app.chosen_keys)
        self.flag_panel.key = keys.display(opens)
        self.have_panes(self.pair.panes)
        self.draw_lines()

    # Loading

    def load(self, former: Choice | None = None) -> None:
        """Load the pair in the background; `former` is offered if that fails."""
        self.pair.settled.clear()
        self.run_worker(self._load(former), group="load", exclusive=True)

    async def _load(self, former: Choice | None) -> None:
        self.trouble.say("")
        settings = await self.consult_app.settings()
        self.draw_while_busy()
        await self.session.load(settings)
        self._name_models()
        self.draw_lines()
        for notice in self.pair.notices:
            if not self.comparing.hold(notice):
                self.say(notice, warning=True)
        if former is not None and self.pair.state in ("failed", "dead"):
            await self._choose(self.pair.trouble, former)
        else:
            self._say_trouble()
        self.run_worker(self.learn_files, group="fingerprints")

    def _name_models(self) -> None:
        self.stand()
        shown = bool(self.pair.demonstration)
        self.notice.display = shown
        if shown:
            self.notice.say(self.pair.notice)

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
        hidden = self.consultation.sides.hidden and self.consultation.turns
        if hidden and self.pair.state == "ready":
            self.say("While names are hidden the models stay: F8 or ctrl+n first.")
            return
        self.run_worker(self._choose("", self.pair.choice), group="choose")

    async def _choose(self, problem: str, former: Choice) -> None:
        from medassist.tui.screens.models import Models

        screen = Models(self.pair.choice, former, problem, self.pair.freed)
        choice = await self.consult_app.push_screen_wait(screen)
        await self.pair.read_asked()
        if choice is None or (choice == self.pair.choice and not self.trouble.display):
            self._say_trouble()
            return
        await self.session.choose(self.consult_app.new_pair(choice))
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
        if self.pair.notice_death():
            self.say(STARTED_AGAIN)
        if self.pair.state == "failed":
            self.say(NOT_LOADED)
            return
        if self.pair.state in ("stopped", "dead"):
            self.load()
        if self.session.record.is_open:
            self.keeping.run(self._send_to_be_saved(question, event.written))
            return
        self.composer.taken(event.written)
        self._begin(question)

    async def _send_to_be_saved(self, question: str, written: str) -> None:
        cleared = await self.keeping.cleared(question)
        if cleared is not None and self.consultation.over:
            self.composer.taken(written)
            self._begin(cleared)

    def action_prompts(self) -> None:
        from medassist.tui.screens.prompts import PromptLibrary

        def insert(text: str | None) -> None:
            if text:
                self.composer.insert_prompt(text)

        self.consult_app.push_screen(PromptLibrary(), insert)

    def action_regenerate(self) -> None:
        if not self.consultation.turns:
            self.say("There is no question yet.")
        elif not self.consultation.over:
            self.say(STILL_WRITING)
        else:
            if self.pair.notice_death():
                self.say(STARTED_AGAIN)
            if self.pair.state in ("stopped", "failed", "dead"):
                self.load()
            self._begin(None)

    def _begin(self, question: str | None) -> None:
        """Ask `question`, or where it is `None` the last one again."""
        if question is not None:
            self.comparing.branch_off()
        asked = self.session.begin(question, self._seed)
        self.run_worker(self._answer(asked), group="answer")
        self.draw_while_busy()

    @property
    def _seed(self) -> int:
        settings = self.consult_app.settings_now
        return settings.sampling.seed if settings else 0

    async def _answer(self, asked: Asked) -> None:
        await self.show_turns()
        app = self.consult_app
        outcome = await self.session.answer(asked, await app.settings(), app.mode)
        if not outcome.ready:
            await self._take_back(asked)
        elif outcome.too_long:
            await self._too_long(outcome.too_long, asked)
        else:
            self._say_trouble()
            self.pair.prepare(self.consultation)
            self.run_worker(self.learn_files, group="fingerprints")

    async def _take_back(self, asked: Asked) -> str:
        question = self.session.take_back(asked)
        if not asked.again:
            self.composer.put(question)
        await self.show_turns()
        return question

    async def _too_long(self, excesses: tuple[TooLong, ...], asked: Asked) -> None:
        surplus = self.consultation.turns_in_excess(excesses)
        question = await self._take_back(asked)
        yes, no = wording.ways_out(len(surplus), asked.again)
        text = wording.too_long(excesses, len(surplus), self.consultation.sides)
        if not await self.consult_app.push_screen_wait(
            Decision("This does not fit", text, yes, no)
        ):
            return
        self.session.leave_out(surplus)
        if self.composer.text == question:
            self.composer.text = ""
        self._begin(None if asked.again else question)

    def action_stop(self) -> None:
        if self.pair.state == "loading":
            self.pair.stop()
        elif not self.consultation.over:
            # While names are hidden nobody can tell what a pane has written.
            hidden = self.consultation.sides.hidden
            self.pair.stop(None if hidden else self.focused_pane)
        else:
            self.comparing.leave_editing()

    def action_new(self) -> None:
        if not self.consultation.over:
            self.say(STILL_WRITING)
        elif self.consultation.turns:
            self.run_worker(self._new(), group="new", exclusive=True)
        self.composer.focus()

    async def _new(self) -> None:
        if await self.session.record.save():
            await self._begin_anew()
            return
        text = "This consultation is not saved. A new one takes its place."
        question = Decision("New consultation", text, "Begin anew", "Go on with this")
        if await self.consult_app.push_screen_wait(question):
            await self._begin_anew()

    async def _begin_anew(self) -> None:
        self.session.new(self.comparing.new_consultation())
        await self.show_turns()
        self.draw_lines()

    @property
    def loss(self) -> str:
        """What would be lost by leaving now, in a sentence; empty: nothing."""
        return self.session.loss(self.composer.text)

    # The records

    def action_save(self) -> None:
        self.keeping.run(self.keeping.save_from_now_on())

    def action_history(self) -> None:
        self.keeping.run(self.keeping.history())

    def action_export(self) -> None:
        self.keeping.run(self.keeping.export())

    def action_sign_off(self) -> None:
        self.keeping.run(self.keeping.sign_off())

    def action_passphrase(self) -> None:
        self.keeping.run(self.keeping.change_passphrase())

    # Comparing

    def action_blind(self) -> None:
        self.run_worker(self.comparing.toggle_blind(), group="blind")

    def action_verdict(self) -> None:
        self.comparing.verdict()

    def action_verdicts(self) -> None:
        self.comparing.verdicts()

    def action_differences(self) -> None:
        self.comparing.differences()

    def action_edit(self) -> None:
        self.comparing.edit()

    def action_other_branch(self) -> None:
        self.run_worker(self.comparing.other_branch(), group="branch")

    def action_go_on(self) -> None:
        self.run_worker(self.comparing.go_on(), group="branch")

    def action_mode(self) -> None:
        mode = "in-turn" if self.consult_app.mode == "together" else "together"
        self.consult_app.choose_mode(mode)
        self.draw_top()
        if not self.consultation.over:
            self.say("This holds from the next question on.")
