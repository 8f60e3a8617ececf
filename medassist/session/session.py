"""One conversation with a pair, without Textual: the screen and `ask` stand on it.

All that a screen or command calls:

    load            load the pair, or load it again
    choose          another pair takes the place of this one
    begin           put a question, or the last one again; what is to be answered
    cut_off         why an answer cannot be gone on with, if it cannot
    go_on           have answers written on that their limit cut off
    answer          have the turn checked for red flags, and answered
    take_back       the turn was never answered: its question again
    leave_out       some turns are not sent any more, so that a prompt fits
    stop            stop loading or writing
    new             an empty consultation takes the place of this one
    learn_files     compute what is not known of the files that answered
    loss            what leaving now would lose
    close           end the models' process and the record

What it looks at beside: `pair`, `consultation`, `red_flags`, `record`, `fingerprints`.
Nothing is kept at module level: many sessions live side by side in one process, and
may share one `Pair`, which answers one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medassist.consult.answer import Answer, Source
from medassist.consult.consultation import Consultation
from medassist.consult.turn import Turn
from medassist.core.values import Mode, PaneName, TooLong
from medassist.session.consultation_record import ConsultationRecord
from medassist.session.fingerprints import Fingerprints
from medassist.session.pair import Pair
from medassist.session.red_flags import Panel, RedFlags

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medassist.engine.wire import Loading
    from medassist.records.vault import Vault
    from medassist.session.fingerprints import Fingerprint
    from medassist.session.pair import Watch
    from medassist.settings import Settings


NOT_CUT_OFF = "No answer was cut off by its limit here: there is nothing to go on with."
JUDGED = "A verdict was given on what stands there; {regenerate} writes another answer."
OTHER_MODEL = "Another model wrote this answer; only that one can go on with it."


class SessionListener(Protocol):
    """Whoever shows the session: told what the user should know."""

    def say(self, sentence: str, warning: bool = False) -> None:
        """Tell the user something that needs no answer."""
        ...

    def record_changed(self) -> None:
        """Take note that the way of keeping the consultation has changed."""
        ...


@dataclass(frozen=True)
class OpenQuestion:
    """A question under way.

    Attributes:
        turn: where it stands in the consultation.
        answers: what is to be written, by pane.
        again: the question was answered before.
        goes_on: answers are written on that their limit cut off.
    """

    turn: Turn
    answers: Mapping[PaneName, Answer]
    again: bool
    goes_on: bool = False


@dataclass(frozen=True)
class AskOutcome:
    """Outcome of asking.

    Attributes:
        ready: the pair was loaded, so that something was asked of it.
        too_long: the panes whose prompt does not fit; then nothing has run.
    """

    ready: bool
    too_long: tuple[TooLong, ...] = ()


class Session:
    """The consultation of one user with one pair, and what is kept of it.

    Args:
        pair: answers; may be shared with other sessions.
        listener: told what the user should know, and when the record changes.
        panel: shows the red flags; a question is asked once they stand there.
        vault: where the consultation is kept; by default in the user's own records.
    """

    def __init__(
        self,
        pair: Pair,
        listener: SessionListener,
        panel: Panel,
        vault: Vault | None = None,
    ) -> None:
        self.pair = pair
        self.consultation = Consultation()
        self.fingerprints = Fingerprints()
        self.record = ConsultationRecord(
            self, lambda said: listener.say(said, True), vault
        )
        self.red_flags = RedFlags(panel, self.record.flagged)
        self._listener = listener

    # The pair

    async def load(
        self, settings: Settings, watch: Callable[[Loading], None] | None = None
    ) -> None:
        """Load the pair, or load it again; `pair.state` says how it went."""
        self.pair.settled.clear()
        await self.pair.load(settings, watch)

    async def choose(self, pair: Pair) -> None:
        """Close the pair and have `pair`, not loaded yet, in its place."""
        await self.pair.close()
        self.pair = pair

    def stop(self, pane: PaneName | None = None) -> None:
        """Stop loading, or what `pane` (or every pane) is writing. Returns at once."""
        self.pair.stop(pane)

    # One question

    def begin(
        self,
        question: str | None,
        seed: int = 0,
        panes: Sequence[PaneName] | None = None,
    ) -> OpenQuestion:
        """Begin a turn with `question`, or where it is `None` the last one again.

        Args:
            question: what is asked.
            seed: stands with the answers until they are asked for.
            panes: who is asked; by default every pane of the pair.

        Raises:
            ValueError: the question is empty, there is none to be asked again, or
                answers are still being written.
        """
        sources: dict[PaneName, Source] = {
            pane: source
            for pane, source in self.pair.sources.items()
            if panes is None or pane in panes
        }
        again = question is None
        turn = (
            self.consultation.regenerate(sources)
            if question is None
            else self.consultation.ask(question, sources, seed)
        )
        self.record.feed()
        answers: dict[PaneName, Answer] = {
            pane: turn.answers(pane)[-1] for pane in sources
        }
        return OpenQuestion(turn, answers, again)

    def cut_off(self, pane: PaneName) -> str:
        """Why the last answer of `pane` cannot be gone on with; empty: it can.

        Only the model that wrote it can, and not once somebody has judged it.
        """
        turns = self.consultation.turns
        answer = turns[-1].shown(pane) if turns else None
        if not self.consultation.over or answer is None or not answer.cut_off:
            return NOT_CUT_OFF
        if turns[-1].verdicts:
            return JUDGED
        if turns[-1].taken_over(pane) or answer.source != self.pair.sources.get(pane):
            return OTHER_MODEL
        return ""

    def go_on(self, panes: Sequence[PaneName]) -> OpenQuestion:
        """Begin to write the last answers of `panes` on.

        Raises:
            ValueError: one of them was not cut off, or cannot be gone on with.
        """
        for pane in panes:
            if problem := self.cut_off(pane):
                raise ValueError(problem)
        turn = self.consultation.turns[-1]
        answers: dict[PaneName, Answer] = {
            pane: answer for pane in panes if (answer := turn.shown(pane)) is not None
        }
        for answer in answers.values():
            answer.go_on()
        self.record.feed()
        return OpenQuestion(turn, answers, again=True, goes_on=True)

    async def answer(
        self,
        asked: OpenQuestion,
        settings: Settings,
        mode: Mode,
        watch: Watch | None = None,
    ) -> AskOutcome:
        """Have `asked` checked for red flags, and then answered by the pair.

        Waits for the pair where it is still being loaded.

        Args:
            asked: what `begin` gave.
            settings: how tokens are chosen, where the pair has no settings of its own.
            mode: how the panes share the processor.
            watch: is told of each event as it comes, beside the answers that grow.
        """
        # Before any model is asked; it returns when what was found is shown.
        await self.red_flags.check(self.consultation, asked.turn)
        pair = self.pair
        await pair.settled.wait()
        if pair.state != "ready":
            return AskOutcome(ready=False)
        sources = pair.sources
        for pane, answer in asked.answers.items():
            answer.source = sources[pane]
            if not asked.again:
                answer.seed = pair.sampling(pane, settings).seed
        too_long = await pair.ask(
            self.consultation, asked.answers, settings, mode, watch
        )
        return AskOutcome(ready=True, too_long=too_long)

    def take_back(self, asked: OpenQuestion) -> str:
        """Take back a turn that was never answered; its question again.

        An answer that was to be gone on with stays cut off.
        """
        if asked.goes_on:
            for answer in asked.answers.values():
                answer.stay_cut_off()
            return asked.turn.question
        return self.consultation.withdraw(tuple(asked.answers))

    def leave_out(self, turns: Sequence[Turn]) -> None:
        """Have `turns` not be sent with later questions."""
        for turn in turns:
            turn.left_out = True

    # The consultation and its record

    def new(self, consultation: Consultation) -> None:
        """`consultation`, an empty one, takes the place of this one."""
        self.consultation = consultation

    def record_changed(self) -> None:
        """Tell the listener that the way of keeping the consultation has changed."""
        self._listener.record_changed()

    async def learn_files(self) -> list[Fingerprint]:
        """Compute what is not known of the files that answered, while nothing runs."""
        await self.pair.prepared()
        files = [
            file
            for turn in self.consultation.turns
            for pane in turn.panes
            for answer in turn.answers(pane)
            for file in answer.source.files
        ]
        found = await self.fingerprints.compute(files, lambda: self.idle)
        for file in files:
            known = self.fingerprints.of(file)
            if known is not None and known.sha256:
                self.record.content.hashes[file] = known.sha256
        self.record.feed()
        return found

    @property
    def idle(self) -> bool:
        """The models leave the processor alone."""
        return self.pair.state != "loading" and self.consultation.over

    def loss(self, draft: str) -> str:
        """Describes what would be lost by leaving now, in a sentence; empty: nothing.

        Args:
            draft: what has been written and not been asked.
        """
        saves = self.record.keeps
        if not self.consultation.over:
            return (
                "The answers are still being written. What was written is saved; the "
                "rest does not come."
                if saves
                else "The answers are still being written, and nothing is saved."
            )
        if self.consultation.turns and not saves:
            return "This consultation is not saved; it is gone when you quit."
        if draft.strip():
            return "What you have written is not saved; it is gone when you quit."
        return ""

    async def close(self) -> None:
        """End the models' process, and save and lock the record, within a bound."""
        await self.pair.close()
        await self.record.close()
