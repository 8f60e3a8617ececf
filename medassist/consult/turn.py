"""A turn: one question and each pane's answers to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy

from medassist.consult.answer import Answer
from medassist.consult.verdict import Verdict
from medassist.core.values import PaneName


class Turn:
    """A question and its answers.

    A pane may have answered more than once (regenerated). All its answers are kept;
    one of them is shown, and that one is in the history that later questions are
    asked with: what the reader sees is what the model knows.
    """

    def __init__(self, question: str, answers: Mapping[PaneName, Answer]) -> None:
        self.question = question
        self.left_out = False
        """The user has taken it out of what the models are asked with."""
        self.verdicts: tuple[Verdict, ...] = ()
        """What the reader thought of it, the oldest first: one given after the names
        were seen does not take the place of the blind one."""
        self._answers: dict[PaneName, list[Answer]] = {
            pane: [answer] for pane, answer in answers.items()
        }
        self._shown: dict[PaneName, int] = dict.fromkeys(answers, 0)

    @property
    def panes(self) -> Iterable[PaneName]:
        """The panes that were asked."""
        return self._answers.keys()

    @property
    def over(self) -> bool:
        """Whether the latest answers of all panes are finished."""
        return all(answers[-1].over for answers in self._answers.values())

    def answers(self, pane: PaneName) -> tuple[Answer, ...]:
        """All that `pane` answered, the oldest first; empty if it was not asked."""
        return tuple(self._answers.get(pane, ()))

    def shown(self, pane: PaneName) -> Answer | None:
        """The answer of `pane` that the reader sees."""
        answers = self._answers.get(pane)
        return answers[self._shown[pane]] if answers else None

    def place(self, pane: PaneName) -> int:
        """Index of the answer of `pane` that is shown, from 0."""
        return self._shown.get(pane, 0)

    def add(self, pane: PaneName, answer: Answer) -> None:
        """Add another answer of `pane`, which is then shown."""
        self._answers.setdefault(pane, []).append(answer)
        self._shown[pane] = len(self._answers[pane]) - 1

    def withdraw(self, pane: PaneName) -> None:
        """Remove the latest answer of `pane`, which never began."""
        answers = self._answers[pane]
        answers.pop()
        if not answers:
            del self._answers[pane], self._shown[pane]
            return
        self._shown[pane] = len(answers) - 1

    def show_earlier(self, pane: PaneName) -> bool:
        """Show the previous answer; after the first, the latest.

        Returns:
            Whether there is another answer to show.
        """
        count = len(self._answers.get(pane, ()))
        if count < 2:
            return False
        self._shown[pane] = (self._shown[pane] - 1) % count
        return True

    def judge(self, verdict: Verdict) -> None:
        """Add a verdict; earlier ones are kept."""
        self.verdicts = (*self.verdicts, verdict)

    def take_over(self, pane: PaneName) -> None:
        """Have the other panes show the answer of `pane` too, and go on with it.

        Their own answers are kept, and can be shown again.
        """
        answer = self.shown(pane)
        if answer is None:
            return
        for other in self._answers:
            if other != pane and self.taken_over(other) != pane:
                self.add(other, copy(answer))

    def taken_over(self, pane: PaneName) -> PaneName | None:
        """The pane whose answer `pane` shows in place of its own; mostly `None`.

        It is known by what stands there, so that it is known of a reopened turn too:
        two models whose files differ do not write the same under one source.
        """
        shown = self.shown(pane)
        own = self._answers.get(pane, [])[:1]
        if shown is None or shown is own[0]:
            return None
        for other, answers in self._answers.items():
            if other != pane and any(_is_copy(shown, answer) for answer in answers):
                return other
        return None

    def own_answer(self, pane: PaneName) -> Answer | None:
        """The latest answer that the model of `pane` wrote itself."""
        mine = self._answers.get(pane, [])
        others = {
            answer.source
            for other, answers in self._answers.items()
            for answer in answers
            if other != pane
        }
        own = [answer for answer in mine if answer.source not in others]
        return own[-1] if own else next(iter(mine), None)


def _is_copy(answer: Answer, of: Answer) -> bool:
    return (
        answer.source == of.source
        and answer.text == of.text
        and answer.seed == of.seed
        and answer.figures == of.figures
    )
