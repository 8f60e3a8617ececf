"""One turn in one pane: the question, the answer, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from medassist.consult.answer import Answer
from medassist.consult.blind import Veil
from medassist.consult.turn import Turn
from medassist.core.clean import clean
from medassist.core.values import PaneName
from medassist.tui.consult.answer_text import AnswerText
from medassist.tui.consult.messages import WriteOn
from medassist.tui.consult.review_lines import ReviewLines
from medassist.tui.consult.thought_view import ThoughtView
from medassist.tui.face import face
from medassist.tui.line import Line
from medassist.tui.wording import consult as wording


class CutOff(Line):
    """That the limit cut an answer off, right behind its last word."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__(classes="cut-off")
        self._pane: PaneName = pane
        self.display = False

    def draw(self, answer: Answer | None, hidden: bool, can_go_on: bool) -> None:
        """Say it of `answer`, if it is so; see `wording.cut_off`."""
        said = wording.cut_off(answer, hidden, can_go_on) if answer else ""
        self.display = bool(said)
        self.say(face(self).keymap.name(said))

    def on_click(self) -> None:
        self.post_message(WriteOn(self._pane))


class TurnView(Vertical):
    """Shows the answer of `pane` in `turn` that is to be shown."""

    def __init__(self, turn: Turn, pane: PaneName) -> None:
        super().__init__()
        self.turn = turn
        self._pane: PaneName = pane
        self._question = Static(
            wording.question(clean(turn.question)), markup=False, classes="question"
        )
        self._model = Line(classes="foot")
        self._answer: Answer | None = None
        self._thought = ThoughtView()
        self._text = AnswerText()
        self._review = ReviewLines()
        self._cut_off = CutOff(pane)
        self._foot = Static("", markup=False, classes="foot")

    def compose(self) -> ComposeResult:
        yield self._question
        yield self._model
        yield self._thought
        yield self._text
        yield self._cut_off
        yield self._review
        yield self._foot

    @property
    def question_lines(self) -> int:
        """The lines that the question takes at the top."""
        return self._question.size.height

    async def draw(
        self,
        before: Sequence[Turn],
        veil: Veil | None,
        thoughts: bool = False,
        is_last: bool = True,
    ) -> None:
        """Bring the view up to date.

        Args:
            before: The turns above it.
            veil: What hides the models' names, if they are hidden. It hides thoughts
                too: whether a model thinks, and how long, tells which one it is.
            thoughts: What the model thought is unfolded.
            is_last: No turn stands below it.
        """
        self.set_class(self.turn.left_out, "-left-out")
        model = "" if veil is not None else self._new_model(before)
        self._model.display = bool(model)
        self._model.say(wording.FROM_HERE.format(model=model))
        answer = self.turn.shown(self._pane)
        self._thought.draw(None if veil else answer, thoughts)
        self._cut_off.draw(answer, veil is not None, is_last and not self.turn.verdicts)
        if answer is None:
            self._say(wording.NOT_ASKED, failed=False)
            return
        if answer is not self._answer:
            await self._text.draw("")
            self._answer = answer
        if veil is not None and not self.turn.over:
            # The answers appear together: which came first tells something.
            await self._text.draw("")
            self._text.display = False
            self._review.draw(self.turn, self._pane, self._text, before)
            self._say("", failed=False)
            return
        self._text.display = True
        await self._text.draw(veil.mask(answer.text) if veil else answer.text)
        self._review.draw(self.turn, self._pane, self._text, before)
        said = wording.foot(
            answer,
            self.turn.place(self._pane),
            len(self.turn.answers(self._pane)),
            veil is not None,
        )
        said = veil.mask(said) if veil else said
        if self.turn.taken_over(self._pane):
            said = wording.SEPARATOR.join(filter(None, [wording.TAKEN_OVER, said]))
        if self.turn.left_out:
            said = wording.SEPARATOR.join(filter(None, [said, wording.LEFT_OUT]))
        self._say(said, failed=answer.state == "failed")

    def _new_model(self, before: Sequence[Turn]) -> str:
        """The model, where another one answered the turn before; else empty.

        It is asked with each drawing: a question can be older than the model that
        answers it.
        """
        now = self.turn.shown(self._pane)
        then = before[-1].shown(self._pane) if before else None
        if now is None or then is None or then.source == now.source:
            return ""
        # What was taken over is said below the answer.
        return "" if self.turn.taken_over(self._pane) else wording.model(now.source)

    def _say(self, text: str, failed: bool) -> None:
        self._foot.set_class(failed, "-failed")
        self._foot.display = bool(text)
        if text:
            self._foot.update(text)
