"""What the user can do to compare the answers: blind, verdict, differences, branches.

The consult screen asks here what is hidden, and calls here when one of the keys is
pressed. Verdicts stand in the turns themselves, so that they are recorded with them
where records are open, and last as long as the session where they are not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from medassist.consult.blind import Veil, veil
from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides, drawn
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.core.clean import clean
from medassist.core.values import PANES
from medassist.session.session import STILL_WRITING
from medassist.tui import keys
from medassist.tui.consult import wording

if TYPE_CHECKING:
    from medassist.consult.verdicts import Judged
    from medassist.tui.consult.answers import AnswersScreen

NO_QUESTION = "There is no question yet."
GIVEN_BLIND = (
    "The verdict on this question was given before the names were seen, and stays."
)
NOT_BOTH = "A verdict needs an answer of both models to the last question."
SAME = (
    "Both panes show the same answer, taken over from one of them; alt+e shows the "
    "other's own again."
)


class Comparing:
    """Compares the answers of one consult screen."""

    def __init__(self, screen: AnswersScreen) -> None:
        self._screen = screen
        self._blind_again = False
        """The next consultation is blind too."""
        self._session: list[Consultation] = []
        """Those in which a verdict was given."""
        self._held: list[str] = []
        """Notices that wait until names may be seen: they could name a model."""
        self.editing: Turn | None = None
        """The turn whose question is in the composer, to be asked as a branch."""

    # What is hidden

    @property
    def sides(self) -> Sides:
        return self._screen.consultation.sides

    @property
    def veil(self) -> Veil | None:
        """What hides the names of the models; `None` where they are to be seen."""
        if not self.sides.hidden:
            return None
        sources = list(self._screen.pair.sources.values())
        for turn in self._screen.consultation.turns:
            sources += [a.source for pane in turn.panes for a in turn.answers(pane)]
        return veil(sources)

    @property
    def writes_hidden(self) -> bool:
        """Answers are being written, and are held back until both are over."""
        return self.sides.hidden and not self._screen.consultation.over

    def hold(self, sentence: str) -> bool:
        """Whether `sentence` is held back until names may be seen."""
        if self.sides.hidden:
            self._held.append(sentence)
        return self.sides.hidden

    @property
    def words(self) -> list[str]:
        """What the line at the top says of it."""
        consultation = self._screen.consultation
        said = ["BLIND"] if self.sides.hidden else []
        if len(consultation.branches) > 1:
            said.append(
                f"branch {consultation.branch + 1} of {len(consultation.branches)}"
            )
        if self.editing is not None:
            said.append("editing, Esc leaves it")
        return said

    def _key(self, id: str) -> str:
        chosen = self._screen.consult_app.chosen_keys
        return keys.display(keys.keys_of(keys.command(id), chosen))

    # Blind

    async def toggle_blind(self) -> None:
        screen = self._screen
        if screen.consultation.turns:
            screen.say(
                "This consultation has begun; with ctrl+n another one can be blind."
            )
        elif len(screen.pair.panes) < 2:
            screen.say("There is one pane only: nothing to compare.")
        else:
            blind = not self.sides.hidden
            screen.consultation.sides = drawn() if blind else Sides()
            self._blind_again = blind
            await self.show()
            screen.say(
                "Blind: names, speed and length are hidden until F8. The sides are "
                "drawn at random."
                if blind
                else "Names are shown."
            )

    def new_consultation(self) -> Consultation:
        """The next consultation: blind if the last one was chosen to be."""
        self.editing = None
        both = len(self._screen.pair.panes) > 1
        return Consultation(drawn() if self._blind_again and both else Sides())

    async def show(self) -> None:
        """Have the whole screen follow what is hidden and which side is which."""
        self._screen.stand()
        await self._screen.draw_turns()
        self._screen.draw_lines()

    # The verdict

    def verdict(self) -> None:
        turn = self._turn_to_judge()
        if turn is None:
            return
        from medassist.tui.dialogs.verdict import Given, VerdictPanel

        blind = self.sides.hidden

        async def give(given: Given) -> None:
            screen = self._screen
            verdict = Verdict(
                given.choice, self.sides.side_a, blind, now(), given.reasons
            )
            turn.judge(verdict)
            screen.consultation.sides = self.sides.reveal(verdict.given)
            if screen.consultation not in self._session:
                self._session.append(screen.consultation)
            await self.show()
            self._tell(verdict)

        def answered(given: Given | None) -> None:
            if given is not None:
                self._screen.run_worker(give(given), group="verdict")

        self._screen.consult_app.push_screen(VerdictPanel(blind), answered)

    def _turn_to_judge(self) -> Turn | None:
        screen = self._screen
        turn = self._last_turn()
        if turn is None:
            return None
        shown = [turn.shown(pane) for pane in PANES]
        if not all(answer is not None and answer.counts for answer in shown):
            screen.say(NOT_BOTH)
        elif any(turn.taken_over(pane) for pane in PANES):
            screen.say(SAME)
        elif any(verdict.blind for verdict in turn.verdicts):
            screen.say(GIVEN_BLIND)
        else:
            return turn
        return None

    def _tell(self, verdict: Verdict) -> None:
        said = ["Verdict given."]
        if verdict.blind:
            sources = self._screen.pair.sources
            said += [
                f"{wording.name(pane, self.sides)}: {wording.model(sources[pane])}."
                for pane in self.sides.order(sources)
            ]
        self._screen.say(" ".join(said))
        held, self._held = self._held, []
        for sentence in held:
            self._screen.say(sentence, warning=True)

    def given(self) -> list[Judged]:
        """The verdicts of this session that can be shown."""
        from medassist.consult.verdicts import judged

        consultations = list(self._session)
        if self._screen.consultation not in consultations:
            consultations.append(self._screen.consultation)
        found: list[Judged] = []
        for number, consultation in enumerate(consultations, start=1):
            turns = {t: None for branch in consultation.branches for t in branch}
            for place, turn in enumerate(turns):
                found += judged(f"unsaved-{number}", str(place), turn)
        return found

    def verdicts(self) -> None:
        from medassist.tui.screens.verdicts import Verdicts

        self._screen.consult_app.push_screen(Verdicts(self._all_given))

    async def _all_given(self) -> list[Judged]:
        """What the open records hold, and what of the session they do not."""
        from medassist.consult.verdicts import of_records
        from medassist.records.errors import RecordsError

        store = self._screen.session.record.store
        kept: list[Judged] = []
        if store is not None:
            await self._screen.session.record.save()
            try:
                kept = of_records(await store.verdicts())
            except RecordsError as error:
                self._screen.say(str(error), warning=True)
        known = {one.verdict for one in kept}
        return kept + [one for one in self.given() if one.verdict not in known]

    # Differences

    def differences(self) -> None:
        turn = self._last_turn()
        texts = self._texts(turn) if turn else None
        if turn is None:
            return
        if texts is None:
            self._screen.say("Both models have to answer before they can be compared.")
            return
        from medassist.tui.screens.differences import DifferencesScreen

        names = [wording.name(pane, self.sides) for pane in self.sides.order(PANES)]
        self._screen.consult_app.push_screen(
            DifferencesScreen(texts, (names[0], names[1]))
        )

    async def mark(self) -> None:
        """Mark in the pane heads in what the last answers contradict each other."""
        consultation = self._screen.consultation
        over = bool(consultation.turns) and consultation.over
        texts = self._texts(consultation.turns[-1]) if over else None
        apart: tuple[str, ...] = ()
        if texts is not None:
            from medassist.consult.differences import disagreement

            apart = await asyncio.to_thread(disagreement, *texts)
            if self._screen.consultation is not consultation or not consultation.over:
                return
        for pane in self._screen.panes.values():
            pane.mark(apart, self._key("differences"))

    def _texts(self, turn: Turn) -> tuple[str, str] | None:
        """The two answers as they are seen, that of side A first."""
        hides = self.veil
        found: list[str] = []
        for pane in self.sides.order(PANES):
            answer = turn.shown(pane)
            if answer is None or not answer.over or not answer.text.strip():
                return None
            text = clean(answer.text)
            found.append(hides.mask(text) if hides else text)
        return found[0], found[1]

    # Branches

    def edit(self) -> None:
        """Bring a question back into the composer: the last, again the one before."""
        screen, turns = self._screen, self._screen.consultation.turns
        if not turns:
            screen.say(NO_QUESTION)
            return
        if not screen.consultation.over:
            screen.say(STILL_WRITING)
            return
        composer = screen.composer
        now_there = self.editing.question if self.editing in turns else ""
        if composer.text.strip() and composer.text != now_there:
            screen.say("There is something in the composer; send it or clear it first.")
            return
        at = turns.index(self.editing) if self.editing in turns else len(turns)
        self.editing = turns[at - 1]  # before the first comes the last again
        composer.text = self.editing.question
        composer.move_cursor(composer.document.end)
        composer.focus()
        screen.draw_top()

    def leave_editing(self) -> bool:
        """Whether a question was being edited; it is not any more."""
        if self.editing is None:
            return False
        if self._screen.composer.text == self.editing.question:
            self._screen.composer.text = ""
        self.editing = None
        self._screen.draw_top()
        return True

    def branch_off(self) -> None:
        """What is asked next takes the place of the question that was edited."""
        turn, self.editing = self.editing, None
        if turn in self._screen.consultation.turns:
            assert turn is not None
            self._screen.consultation.branch_off(turn)

    async def other_branch(self) -> None:
        screen = self._screen
        if not screen.consultation.over:
            screen.say(STILL_WRITING)
        elif screen.consultation.next_branch():
            self.editing = None
            await screen.show_turns()
            screen.draw_lines()
            screen.pair.prepare(screen.consultation)
        else:
            screen.say("There is one branch only; alt+n edits a question.")

    async def go_on(self) -> None:
        """The other pane takes over the answer of the pane that has the focus."""
        screen = self._screen
        turn, pane = self._last_turn(), screen.focused_pane
        if turn is None:
            return
        answer = turn.shown(pane) if pane else None
        if pane is None or len(list(turn.panes)) < 2:
            screen.say("Go to the pane whose answer shall stand in both (tab).")
        elif answer is None or not answer.counts:
            screen.say("There is no answer in this pane to go on with.")
        elif turn.taken_over(pane):
            screen.say(SAME)
        else:
            turn.take_over(pane)
            await screen.draw_turns()
            screen.draw_lines()
            screen.pair.prepare(screen.consultation)
            letter = self.sides.letter(pane)
            screen.say(
                f"The next question is asked with the answer of {letter} in both."
            )

    def _last_turn(self) -> Turn | None:
        """The last turn, once it is over; else the user is told why there is none."""
        consultation = self._screen.consultation
        if not consultation.turns:
            self._screen.say(NO_QUESTION)
        elif not consultation.over:
            self._screen.say(STILL_WRITING)
        else:
            return consultation.turns[-1]
        return None
