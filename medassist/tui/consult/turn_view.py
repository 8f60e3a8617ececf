"""One turn in one pane: the question, the answer, and what is to be said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical

from medassist.consult.answer import Answer
from medassist.consult.blind import Veil
from medassist.consult.turn import Turn
from medassist.core.clean import Cleaner, clean
from medassist.core.values import PaneName
from medassist.tui.consult.review_lines import ReviewLines
from medassist.tui.consult.tied import TiedStatic
from medassist.tui.face import face
from medassist.tui.wording import pane as wording

if TYPE_CHECKING:
    from medassist.tui.consult.markdown import AnswerMarkdown

LONGEST_MARKDOWN = 60_000
"""Characters beyond which an answer is shown as plain text: laying out Markdown again
and again would take the processor from the model."""


def read_markdown() -> None:
    """Import what draws an answer, so that the first one need not wait for it."""
    import_module("medassist.tui.consult.markdown")


class Remark(TiedStatic):
    """Something said beside an answer: it is there while it says something.

    Plain text, so that nobody takes a model's thought for its answer.
    """

    def __init__(self, classes: str) -> None:
        super().__init__("", markup=False, classes=classes)
        self.display = False
        self._said = ""

    def say(self, text: str) -> None:
        """Say `text` from now on."""
        if text != self._said:
            self._said = text
            self.display = bool(text)
            self.update(text)


class AnswerText(Vertical):
    """Draws as much of an answer as there is; `draw` is called again as it grows.

    Markdown as long as Textual can lay it out, else the same text as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cleaner = Cleaner()
        self._taken: str = ""  # what of the engine's text has been taken
        self.shown = ""
        """The text as the reader has it."""
        self._markdown: AnswerMarkdown | None = None
        self._plain: TiedStatic | None = None
        self._drawing = asyncio.Lock()

    async def draw(self, text: str) -> None:
        """Show `text`, usually what was shown and a further piece.

        Of two that draw at a time, each returns when all is there: a table, for one,
        has its rows only after it has been mounted, and who looks for doses in it
        earlier finds none.
        """
        async with self._drawing:
            if text == self._taken:
                return
            if not text.startswith(self._taken):
                await self._clear()
            piece = self._cleaner.push(text[len(self._taken) :])
            self._taken = text
            if not piece:
                return
            self.shown += piece
            if self._plain is not None:
                self._plain.update(self.shown)
                return
            if len(self.shown) > LONGEST_MARKDOWN:
                await self._show_plain()
                return
            try:
                if self._markdown is None:
                    # Imported late: it would cost the first frame.
                    from medassist.tui.consult.markdown import AnswerMarkdown

                    self._markdown = AnswerMarkdown()
                    await self.mount(self._markdown)
                await self._markdown.append(piece)
            except Exception:
                # Whatever Markdown makes of a model's text, the reader gets the text.
                await self._show_plain()

    async def _show_plain(self) -> None:
        self._plain = TiedStatic(self.shown, markup=False, classes="plain")
        await self.remove_children()
        self._markdown = None
        await self.mount(self._plain)

    async def _clear(self) -> None:
        self._cleaner = Cleaner()
        self._taken = self.shown = ""
        self._markdown = self._plain = None
        await self.remove_children()


class TurnView(Vertical):
    """Shows the answer of `pane` in `turn` that is to be shown."""

    def __init__(self, turn: Turn, pane: PaneName) -> None:
        super().__init__()
        self.turn = turn
        self._pane: PaneName = pane
        self._question = TiedStatic(
            wording.question(clean(turn.question)), markup=False, classes="question"
        )
        self._model = Remark("foot")
        self._answer: Answer | None = None
        self._thought = Remark("thought")
        self._text = AnswerText()
        self._cut_off = Remark("cut-off")
        self._review = ReviewLines()
        self._foot = Remark("foot")

    def compose(self) -> ComposeResult:
        yield self._question
        yield self._model
        yield self._thought
        yield self._text
        yield self._cut_off
        yield self._review
        yield self._foot

    @property
    def has_more_warnings(self) -> bool:
        """There are more warnings than are said in full where they are not unfolded."""
        return self._review.has_more

    @property
    def question_lines(self) -> int:
        """The lines that the question takes at the top."""
        return self._question.size.height

    async def draw(
        self,
        before: Sequence[Turn],
        veil: Veil | None,
        *,
        thoughts: bool = False,
        is_last: bool = True,
        warnings: bool = False,
    ) -> None:
        """Bring the view up to date.

        Args:
            before: The turns above it.
            veil: What hides the models' names, if they are hidden. It hides thoughts
                too: whether a model thinks, and how long, tells which one it is.
            thoughts: What the model thought is unfolded.
            is_last: No turn stands below it.
            warnings: Every warning is said in full.
        """
        hidden = veil is not None
        self.set_class(self.turn.left_out, "-left-out")
        self._model.say("" if hidden else self._new_model(before))
        answer = self.turn.shown(self._pane)
        self._foot.set_class(answer is not None and answer.state == "failed", "-failed")
        if answer is None:
            self._thought.say("")
            self._cut_off.say("")
            self._foot.say(wording.NOT_ASKED)
            return
        has_thought = not hidden and bool(answer.thought.strip())
        self._thought.say(self._thought_said(answer, thoughts) if has_thought else "")
        self._thought.set_class(thoughts, "-unfolded")
        can_go_on = is_last and not self.turn.verdicts
        cut_off = wording.cut_off(answer, hidden, can_go_on)
        self._cut_off.say(face(self).keymap.name(cut_off) if cut_off else "")
        if answer is not self._answer:
            await self._text.draw("")
            self._answer = answer
        # Hidden answers appear together: which came first tells something.
        held_back = hidden and not self.turn.over
        self._text.display = not held_back
        text = "" if held_back else answer.text
        await self._text.draw(veil.mask(text) if veil else text)
        shown = "" if held_back else self._text.shown
        self._review.unfold(warnings)
        self._review.draw(self.turn, self._pane, shown, self._text, before)
        self._foot.say("" if held_back else self._foot_said(answer, veil))

    def _new_model(self, before: Sequence[Turn]) -> str:
        """Notice that another model answers than in the turn before; else empty.

        It is asked with each drawing: a question can be older than the model that
        answers it.
        """
        now = self.turn.shown(self._pane)
        then = before[-1].shown(self._pane) if before else None
        if now is None or then is None or then.source == now.source:
            return ""
        if self.turn.taken_over(self._pane):
            return ""  # which is said below the answer
        if not now.source.name:
            return ""  # it is still being loaded
        return wording.FROM_HERE.format(model=wording.model(now.source))

    def _thought_said(self, answer: Answer, unfolded: bool) -> str:
        """Thought of the model before `answer`: a line, or unfolded all of it."""
        named = face(self).keymap.name
        said = [named(wording.thought(answer, unfolded))]
        if unfolded:
            said.append(clean(answer.thought).strip())
            if not wording.thinks(answer):
                said.append(named(wording.THOUGHT_ENDS))
        return "\n".join(said)

    def _foot_said(self, answer: Answer, veil: Veil | None) -> str:
        pane, turn = self._pane, self.turn
        count = len(turn.answers(pane))
        said = wording.foot(answer, turn.place(pane), count, veil is not None)
        return wording.joined(
            wording.TAKEN_OVER if turn.taken_over(pane) else "",
            veil.mask(said) if veil else said,
            wording.LEFT_OUT if turn.left_out else "",
        )

    @on(events.Click, "ReviewLines")
    async def _show_warnings(self) -> None:
        if self.has_more_warnings:
            await self.run_action("screen.do('answers', 'show_warnings')")

    @on(events.Click, ".cut-off")
    async def _write_on(self) -> None:
        await self.run_action(f"screen.write_on('{self._pane}')")
