"""Actions to compare the answers: blind, verdict, differences, branches.

The consult screen calls here when one of the keys is pressed. Verdicts stand in the
turns themselves, so that they are recorded with them where records are open, and last
as long as the session where they are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medassist.consult.consultation import Consultation
from medassist.consult.sides import Sides, drawn
from medassist.consult.turn import Turn
from medassist.consult.verdict import Verdict, now
from medassist.core.values import PANES
from medassist.session.session import Session
from medassist.tui.consult.answers import Answers
from medassist.tui.consult.composer import Composer
from medassist.tui.face import Face
from medassist.tui.wording import consult as wording
from medassist.tui.wording.pane import name

if TYPE_CHECKING:
    from medassist.consult.verdicts import JudgedTurn


class AnswerComparison:
    """Compares the answers of one session.

    Args:
        face: Shows what is opened from here.
        session: Whose answers they are.
        answers: Draws them.
        composer: Where a question is edited.
    """

    def __init__(
        self, face: Face, session: Session, answers: Answers, composer: Composer
    ) -> None:
        self._face = face
        self._session = session
        self._answers = answers
        self._composer = composer
        self._blind_again = False
        """The next consultation is blind too."""
        self._judged: list[Consultation] = []
        """Those in which a verdict was given."""
        self._held: list[str] = []
        """Notices that wait until names may be seen: they could name a model."""

    @property
    def _sides(self) -> Sides:
        return self._session.consultation.sides

    def say(self, sentence: str) -> None:
        """Warn of `sentence`, which may name a model: once names may be seen."""
        if self._sides.hidden:
            self._held.append(sentence)
        else:
            self._face.say(sentence, warning=True)

    # Blind

    async def toggle_blind(self) -> None:
        session, say = self._session, self._face.say
        if session.consultation.turns:
            say(self._face.keymap.name(wording.HAS_BEGUN))
        elif len(session.pair.panes) < 2:
            say(wording.NOTHING_TO_COMPARE)
        else:
            blind = not self._sides.hidden
            session.consultation.sides = drawn() if blind else Sides()
            self._blind_again = blind
            await self._show()
            said = wording.BLIND if blind else wording.NAMES_SHOWN
            say(self._face.keymap.name(said))

    def new_consultation(self) -> Consultation:
        """The next consultation: blind if the last one was chosen to be."""
        both = len(self._session.pair.panes) > 1
        return Consultation(drawn() if self._blind_again and both else Sides())

    async def _show(self) -> None:
        """Redraw the screen after the sides, or what is hidden, have changed."""
        self._answers.stand()
        await self._answers.draw()

    # The verdict

    def verdict(self) -> None:
        turn = self._turn_to_judge()
        if turn is None:
            return
        from medassist.tui.dialogs.verdict import Given, VerdictPanel

        blind = self._sides.hidden

        async def give(given: Given) -> None:
            consultation = self._session.consultation
            verdict = Verdict(
                given.choice, self._sides.side_a, blind, now(), given.reasons
            )
            turn.judge(verdict)
            consultation.sides = self._sides.reveal(verdict.given)
            if consultation not in self._judged:
                self._judged.append(consultation)
            await self._show()
            self._tell(verdict)

        def answered(given: Given | None) -> None:
            if given is not None:
                self._face.run_worker(give(given), group="verdict")

        self._face.push_screen(VerdictPanel(blind), answered)

    def _turn_to_judge(self) -> Turn | None:
        turn = self._last_turn()
        if turn is None:
            return None
        shown = [turn.shown(pane) for pane in PANES]
        if not all(answer is not None and answer.counts for answer in shown):
            self._face.say(wording.NOT_BOTH)
        elif any(turn.taken_over(pane) for pane in PANES):
            self._face.say(self._face.keymap.name(wording.SAME))
        elif any(verdict.blind for verdict in turn.verdicts):
            self._face.say(wording.GIVEN_BLIND)
        else:
            return turn
        return None

    def _tell(self, verdict: Verdict) -> None:
        said = [wording.VERDICT_GIVEN]
        if verdict.blind:
            sources = self._session.pair.sources
            said += [
                wording.who_is_who(pane, self._sides, sources[pane])
                for pane in self._sides.order(sources)
            ]
        self._face.say(" ".join(said))
        held, self._held = self._held, []
        for sentence in held:
            self._face.say(sentence, warning=True)

    def _given(self) -> list[JudgedTurn]:
        """The verdicts of this session that can be shown."""
        from medassist.consult.verdicts import judged

        consultations = list(self._judged)
        if self._session.consultation not in consultations:
            consultations.append(self._session.consultation)
        found: list[JudgedTurn] = []
        for number, consultation in enumerate(consultations, start=1):
            turns = {t: None for branch in consultation.branches for t in branch}
            for place, turn in enumerate(turns):
                found += judged(f"unsaved-{number}", str(place), turn)
        return found

    def verdicts(self) -> None:
        from medassist.tui.screens.verdicts import VerdictsScreen

        self._face.push_screen(VerdictsScreen(self._all_given))

    async def _all_given(self) -> list[JudgedTurn]:
        """All verdicts to be shown: those in the open records, and the unsaved ones."""
        from medassist.consult.verdicts import of_records
        from medassist.records.errors import RecordsError

        store = self._session.record.store
        kept: list[JudgedTurn] = []
        if store is not None:
            await self._session.record.save()
            try:
                kept = of_records(await store.verdicts())
            except RecordsError as error:
                self._face.say(str(error), warning=True)
        known = {one.verdict for one in kept}
        return kept + [one for one in self._given() if one.verdict not in known]

    # Differences

    def differences(self) -> None:
        turn = self._last_turn()
        if turn is None:
            return
        texts = self._answers.last_texts()
        if texts is None:
            self._face.say(wording.BOTH_FIRST)
            return
        from medassist.tui.screens.differences import DifferencesScreen

        names = [name(pane, self._sides) for pane in self._sides.order(PANES)]
        self._face.push_screen(DifferencesScreen(texts, (names[0], names[1])))

    # Branches

    def edit(self) -> None:
        """Bring a question back into the composer: the last, again the one before."""
        consultation, composer = self._session.consultation, self._composer
        turns, edited = consultation.turns, consultation.edited
        if self._last_turn() is None:
            return
        at = turns.index(edited) if edited in turns else len(turns)
        now_there = turns[at].question if at < len(turns) else ""
        if composer.text.strip() and composer.text != now_there:
            self._face.say(wording.COMPOSER_FULL)
            return
        consultation.edited = turns[at - 1]  # before the first comes the last again
        self._answers.draw_lines()
        composer.text = consultation.edited.question
        composer.move_cursor(composer.document.end)
        composer.focus()

    def leave_editing(self) -> None:
        """Leave the question that is edited, if one is, as it was."""
        consultation = self._session.consultation
        edited, consultation.edited = consultation.edited, None
        if edited is not None and self._composer.text == edited.question:
            self._composer.text = ""
        self._answers.draw_lines()

    async def other_branch(self) -> None:
        consultation = self._session.consultation
        if not self._answers.are_over():
            return
        if consultation.next_branch():
            await self._answers.show()
            self._session.pair.prepare(consultation)
        else:
            self._face.say(self._face.keymap.name(wording.ONE_BRANCH))

    async def go_on(self) -> None:
        """The other pane takes over the answer of the pane that has the focus."""
        say = self._face.say
        turn, pane = self._last_turn(), self._answers.panes.focused
        if turn is None:
            return
        answer = turn.shown(pane) if pane else None
        if pane is None or len(list(turn.panes)) < 2:
            say(self._face.keymap.name(wording.WHICH_PANE))
        elif answer is None or not answer.counts:
            say(wording.NO_ANSWER_HERE)
        elif turn.taken_over(pane):
            say(self._face.keymap.name(wording.SAME))
        else:
            turn.take_over(pane)
            await self._answers.draw()
            self._session.pair.prepare(self._session.consultation)
            letter = self._sides.letter(pane)
            say(wording.GOES_ON.format(letter=letter))

    def _last_turn(self) -> Turn | None:
        """The last turn, once it is over; else the user is told why there is none."""
        consultation = self._session.consultation
        if not consultation.turns:
            self._face.say(wording.NO_QUESTION)
            return None
        return consultation.turns[-1] if self._answers.are_over() else None
