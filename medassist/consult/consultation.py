"""A consultation: turns, branches, and the history that each pane is asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medassist.consult.answer import Answer, Source
from medassist.consult.sides import Sides
from medassist.consult.turn import Turn
from medassist.core.values import Message, PaneName, TooLong

SEEDS = 2**32 - 1  # one less than there are: the last means a random one


class Consultation:
    """Turns of two panes; each pane is asked with its own history.

    A question that is edited and asked again begins a branch: the turns before it are
    the same, and the branch that it was asked in at first is kept.
    """

    def __init__(self, sides: Sides | None = None) -> None:
        self.sides = sides or Sides()
        """Sides of the panes, and whether names are hidden."""
        self.edited: Turn | None = None
        """The turn whose question is being edited, to be asked as a branch."""
        self._branches: list[list[Turn]] = [[]]
        self._branch = 0

    @property
    def turns(self) -> list[Turn]:
        """The turns of the branch that is shown."""
        return self._branches[self._branch]

    @property
    def branches(self) -> tuple[tuple[Turn, ...], ...]:
        """Every branch from its first turn on, in the order in which they began."""
        return tuple(tuple(turns) for turns in self._branches)

    @property
    def branch(self) -> tuple[int, int]:
        """Number of the branch that is shown, from 1, and of all branches."""
        return self._branch + 1, len(self._branches)

    @property
    def over(self) -> bool:
        """Whether no answer is being written."""
        return not self.turns or self.turns[-1].over

    def ask(self, question: str, sources: Mapping[PaneName, Source], seed: int) -> Turn:
        """Begin a turn: `question` to each pane of `sources`.

        Where a question is being edited, this one begins a branch in its place.

        Raises:
            ValueError: the question is empty, or answers are still being written.
        """
        if not question.strip():
            raise ValueError("the question is empty")
        self._expect_over()
        edited, self.edited = self.edited, None
        if edited is not None and edited in self.turns:
            self.branch_off(edited)
        answers: dict[PaneName, Answer] = {
            pane: Answer(source, seed) for pane, source in sources.items()
        }
        turn = Turn(question, answers)
        self.turns.append(turn)
        return turn

    def regenerate(self, sources: Mapping[PaneName, Source]) -> Turn:
        """Have the last question answered again, each time with another seed.

        The earlier answers are kept in the turn.

        Raises:
            ValueError: there is no turn, or answers are still being written.
        """
        if not self.turns:
            raise ValueError("there is no question yet")
        self._expect_over()
        turn = self.turns[-1]
        for pane, source in sources.items():
            earlier = turn.answers(pane)
            turn.add(pane, Answer(source, _next_seed(earlier)))
        return turn

    def branch_off(self, turn: Turn) -> None:
        """Go back to before `turn`; what is asked next begins another branch.

        Raises:
            ValueError: `turn` is not of the branch that is shown, or answers are
                still being written.
        """
        self._expect_over()
        before = self.turns[: self.turns.index(turn)]
        self._branches.append(before)
        self._branch = len(self._branches) - 1

    def next_branch(self) -> bool:
        """Show the next branch; after the last, the first.

        Returns:
            Whether there is another one.

        Raises:
            ValueError: answers are still being written.
        """
        self._expect_over()
        self.edited = None
        self._branch = (self._branch + 1) % len(self._branches)
        return len(self._branches) > 1

    def add_branch(self, turns: Sequence[Turn]) -> None:
        """Add a branch that is not shown, when a stored consultation is loaded."""
        self._branches.append(list(turns))

    def withdraw(self, panes: Sequence[PaneName]) -> str:
        """Undo the last question to `panes`, which never began; return its text.

        A turn in which no answer is left goes with it, and a branch that it began.
        """
        turn = self.turns[-1]
        for pane in panes:
            turn.withdraw(pane)
        if not list(turn.panes):
            self.turns.pop()
            self._leave_bare_branch()
        return turn.question

    def messages(self, pane: PaneName) -> tuple[Message, ...]:
        """The messages to send to `pane`: its own history and the last question."""
        return (
            *self._history(pane, self.turns[:-1]),
            Message("user", self.turns[-1].question),
        )

    def history(self, pane: PaneName) -> tuple[Message, ...]:
        """The finished conversation of `pane`, its last answer included."""
        return self._history(pane, self.turns)

    def sent(self, pane: PaneName) -> list[Turn]:
        """The earlier turns that `pane` is asked with, the oldest first."""
        return [turn for turn in self.turns[:-1] if _counts(turn, pane)]

    def turns_in_excess(self, excesses: Sequence[TooLong]) -> list[Turn]:
        """The oldest turns without which every prompt would fit.

        The same turns for every pane, so that the panes stay comparable. Empty if the
        question alone is too long.
        """
        over = {excess.pane: excess.tokens - excess.fits for excess in excesses}
        tokens = {
            excess.pane: dict(
                zip(self.sent(excess.pane), excess.droppable, strict=True)
            )
            for excess in excesses
        }
        chosen: list[Turn] = []
        for turn in self.turns[:-1]:
            if all(missing <= 0 for missing in over.values()):
                break
            if turn.left_out:
                continue
            chosen.append(turn)
            for pane in over:
                over[pane] -= tokens[pane].get(turn, 0)
        return chosen if all(missing <= 0 for missing in over.values()) else []

    def _leave_bare_branch(self) -> None:
        """Show the longer branch, where what is shown is no more than its beginning."""
        bare = self._branches[self._branch]
        for at, turns in enumerate(self._branches):
            if at != self._branch and turns[: len(bare)] == bare:
                del self._branches[self._branch]
                self._branch = at - (at > self._branch)
                return

    def _history(self, pane: PaneName, turns: Sequence[Turn]) -> tuple[Message, ...]:
        said: list[Message] = []
        for turn in turns:
            answer = turn.shown(pane)
            if answer is not None and _counts(turn, pane):
                said.append(Message("user", turn.question))
                said.append(Message("assistant", answer.text))
        return tuple(said)

    def _expect_over(self) -> None:
        if not self.over:
            raise ValueError("answers are still being written")


def _counts(turn: Turn, pane: PaneName) -> bool:
    answer = turn.shown(pane)
    return not turn.left_out and answer is not None and answer.counts


def _next_seed(earlier: Sequence[Answer]) -> int:
    """A seed that none of the earlier answers has; one of them may be taken over."""
    used = {answer.seed for answer in earlier}
    seed = (earlier[-1].seed + 1) % SEEDS if earlier else 0
    while seed in used:
        seed = (seed + 1) % SEEDS
    return seed
