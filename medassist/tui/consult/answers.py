"""The answers in the panes: drawing them as they grow, and what can be done with them.

Who is asked, and when, is in `consult.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from medassist.consult.answer import Answer, Source
from medassist.consult.consultation import Consultation
from medassist.core.clean import clean
from medassist.core.values import PaneName
from medassist.session.pair import Pair
from medassist.session.session import STILL_WRITING, Session
from medassist.tui.consult import wording
from medassist.tui.consult.comparison import Comparing
from medassist.tui.consult.panes import TOO_SMALL, PanesScreen
from medassist.tui.details import Fact, facts

if TYPE_CHECKING:
    from medassist.tui.app import ConsultApp

FASTEST_S = 0.1
SLOWEST_S = 1.0
SHARE = 10
"""Drawing takes at most about a tenth of the time: the models need the processor."""


class AnswersScreen(PanesScreen):
    """The two panes with the answers of one consultation in them."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.session = Session(pair, self, self.flag_panel)
        self.comparing = Comparing(self)
        self._draws = False
        self._first_piece: dict[Answer, float] = {}

    @property
    def pair(self) -> Pair:
        return self.session.pair

    @property
    def consultation(self) -> Consultation:
        return self.session.consultation

    @property
    def consult_app(self) -> ConsultApp:
        return cast("ConsultApp", self.app)  # pyright: ignore[reportUnknownMemberType]

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
            self.run_worker(self.draw_turns(), group="draw-turns")
        else:
            self.say("There is no other answer to the last question; F5 makes one.")

    def _last_answers(self) -> dict[PaneName, Answer]:
        """What is shown of the last turn in the focused pane, else in every pane."""
        if not self.consultation.turns:
            return {}
        turn, pane = self.consultation.turns[-1], self.focused_pane
        found: dict[PaneName, Answer] = {}
        if self.comparing.writes_hidden:
            return found
        panes = self.consultation.sides.order(self.pair.panes)
        for name in (pane,) if pane else panes:
            answer = turn.shown(name)
            if answer is not None:
                found[name] = answer
        return found

    def action_copy(self) -> None:
        written: dict[PaneName, str] = {
            name: answer.text
            for name, answer in self._last_answers().items()
            if answer.text.strip()
        }
        if not written:
            self.say("There is no answer to copy yet.")
            return
        headings, sides = self.focused_pane is None, self.consultation.sides
        text, hides = (
            clean(wording.copied(written, headings, sides)),
            self.comparing.veil,
        )
        self.consult_app.copy_and_tell(
            hides.mask(text) if hides else text, wording.answers(len(written))
        )

    def action_details(self) -> None:
        answers = self._last_answers()
        if not answers:
            self.say("There is no answer yet.")
            return
        if self.consultation.sides.hidden:
            self.say("The details are hidden until the verdict (F8).")
            return

        def find() -> dict[PaneName, list[Fact]]:
            known, free = self.session.fingerprints.of, self.consultation.over
            return {name: facts(a, known, free) for name, a in answers.items()}

        from medassist.tui.screens.details import Details

        self.consult_app.push_screen(Details(find, self.consultation.sides))

    # Red flags

    def action_red_flags(self) -> None:
        shown = self.session.red_flags.shown
        if not shown:
            from medassist.safety.language import NOTICE

            self.say(
                self.session.red_flags.problem
                or (NOTICE if self.session.red_flags.foreign else "")
                or "No rule found a red flag in this consultation. Rules miss things."
            )
            return
        from medassist.tui.dialogs.flag_details import FlagDetails

        def mark(read: bool | None) -> None:
            if read:
                self.session.red_flags.mark_read(shown)

        self.consult_app.push_screen(FlagDetails(shown), mark)

    def flags_changed(self) -> None:
        """A red flag has been shown or read."""
        # Where no pane has room any more, the flags still do.
        titles = self.flag_panel.titles
        self.too_small.say(f"{titles} {TOO_SMALL}" if titles else TOO_SMALL)

    def record_changed(self) -> None:
        """How the consultation is kept has changed."""
        self.draw_top()

    async def learn_files(self) -> None:
        """Compute what is not known of the files that have answered."""
        for fingerprint in await self.session.learn_files():
            if fingerprint.problem and not self.comparing.hold(fingerprint.problem):
                self.say(fingerprint.problem, warning=True)

    # Drawing

    def draw_while_busy(self) -> None:
        """Draw again and again until the pair is loaded and the answers are over."""
        if not self._draws:
            self._draws = True
            self.run_worker(self._draw_loop(), group="draw")

    @property
    def is_drawn(self) -> bool:
        """All that has been written stands on the screen."""
        return not self._draws

    @property
    def _busy(self) -> bool:
        return self.pair.state == "loading" or not self.consultation.over

    async def _draw_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while self._busy:
            began = loop.time()
            for pane in self.seen_panes:
                await pane.draw()
            self.draw_lines()
            cost = loop.time() - began
            await asyncio.sleep(min(SLOWEST_S, max(FASTEST_S, SHARE * cost)))
        self._draws = False
        await self.draw_turns()
        self.draw_lines()

    def stand(self) -> None:
        """Have the panes stand on their sides, with the names that may be seen."""
        sides, hides = self.consultation.sides, self.comparing.veil
        self.order_panes(sides.order(self.panes))
        sources = self.pair.sources
        for name, pane in self.panes.items():
            pane.veil = hides
            pane.name_model(sources.get(name, Source("")), sides)

    async def show_turns(self) -> None:
        """Have the panes show the turns that the consultation has now."""
        self.session.red_flags.follow(self.consultation)
        self.stand()
        for pane in self.panes.values():
            await pane.show(self.consultation.turns)

    async def draw_turns(self) -> None:
        """Draw what stands in the panes once more."""
        for pane in self.panes.values():
            await pane.draw_all()
        self.session.feed()
        await self.comparing.mark()

    def draw_lines(self) -> None:
        """Bring the status of the panes and the line at the top up to date."""
        for name in self.pair.panes:
            pane = self.panes[name]
            pane.say(self._status(name))
            pane.say_empty(wording.empty(self.pair.state))
        self.session.feed()
        self.draw_top()

    def _status(self, name: PaneName) -> str:
        pair, turns = self.pair, self.consultation.turns
        answer = turns[-1].shown(name) if turns else None
        if pair.state != "ready" or answer is None:
            return wording.pair_status(pair.state, pair.fraction)
        if self.consultation.sides.hidden:
            return wording.hidden_status(self.comparing.writes_hidden)
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
            self.session.record.word,
            self.comparing.words,
        )
