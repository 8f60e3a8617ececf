"""A turn: one question, and what each pane answered to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from medassist.consult.answer import Answer

PaneName = Literal["base", "tuned"]
PANES: tuple[PaneName, PaneName] = ("base", "tuned")


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
        """Every pane's latest answer has come to its end."""
        return all(answers[-1].over for answers in self._answers.values())

    def answers(self, pane: PaneName) -> tuple[Answer, ...]:
        """All that `pane` answered, the oldest first; empty if it was not asked."""
        return tuple(self._answers.get(pane, ()))

    def shown(self, pane: PaneName) -> Answer | None:
        """The answer of `pane` that the reader sees."""
        answers = self._answers.get(pane)
        return answers[self._shown[pane]] if answers else None

    def place(self, pane: PaneName) -> int:
        """Which of the answers of `pane` is shown, from 0."""
        return self._shown.get(pane, 0)

    def add(self, pane: PaneName, answer: Answer) -> None:
        """`pane` answers again; the new answer is shown."""
        self._answers.setdefault(pane, []).append(answer)
        self._shown[pane] = len(self._answers[pane]) - 1

    def withdraw(self, pane: PaneName) -> None:
        """Take back the latest answer of `pane`, one that never began."""
        answers = self._answers[pane]
        answers.pop()
        if not answers:
            del self._answers[pane], self._shown[pane]
            return
        self._shown[pane] = len(answers) - 1

    def show_earlier(self, pane: PaneName) -> bool:
        """Show the answer before the shown one, after the first the latest again.

        Returns:
            Whether there is another answer to show.
        """
        count = len(self._answers.get(pane, ()))
        if count < 2:
            return False
        self._shown[pane] = (self._shown[pane] - 1) % count
        return True
