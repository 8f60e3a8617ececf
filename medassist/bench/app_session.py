"""Runs the app's own session without a user, to time its answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from medassist.core.errors import EngineError
from medassist.core.values import EngineOptions, PairFiles, PaneName, Sampling
from medassist.engine.client import Engine
from medassist.engine.wire import Answered, Reading, Written
from medassist.library.registry import NamedPair
from medassist.session.choice import Choice
from medassist.session.pair import Pair
from medassist.session.session import Session
from medassist.settings import Settings

WORDS = (
    "A woman of 54 has had a dry cough for three weeks, sleeps badly and takes a "
    "tablet for her blood pressure each morning. She does not smoke, has no fever, "
    "and walks to work. Her mother had asthma. "
)
TRIAL = 60
"""Words of the first question, by which the length of the others is found."""


def question(number: int | str, words: int) -> str:
    """A question of about `words` words that shares no prefix with another number's.

    Args:
        number: of the question.
        words: of it.
    """
    told = (WORDS * (words // len(WORDS.split()) + 1)).split()[:words]
    return f"Case {number}. {' '.join(told)}"


@dataclass(frozen=True)
class AnswerTimes:
    """Times of one pane's answer, as a reader sees them.

    Attributes:
        ttft_s: from the question to the first word that arrived; red flags included.
        tok_per_s: of what was written after it.
        read: tokens of the prompt, with its template.
        written: tokens of the answer.
    """

    ttft_s: float
    tok_per_s: float | None
    read: int
    written: int


class SilentListener:
    """Listener and flag panel of a session that nobody looks at."""

    def say(self, sentence: str, warning: bool = False) -> None:
        """Do nothing."""

    def record_changed(self) -> None:
        """Do nothing."""

    def show(self, raised: object, reason: str, foreign: bool) -> None:
        """Do nothing."""

    async def wait_for_refresh(self) -> bool:
        """Do nothing; nothing is drawn."""
        return True


class Asking:
    """A session of the app that is asked one question after another.

    Args:
        files: of the pair.
        options: how it is loaded.
        tokens: that an answer has at most.
    """

    def __init__(self, files: PairFiles, options: EngineOptions, tokens: int) -> None:
        self._engine: Engine | None = None

        def make(wanted: PairFiles, _options: EngineOptions) -> Engine:
            self._engine = Engine(wanted, options)
            return self._engine

        self._pair = Pair(Choice.of(files), make, NamedPair())
        listener = SilentListener()
        self._session = Session(self._pair, listener, listener)
        self._settings = Settings(sampling=Sampling(max_tokens=tokens))
        self._runner = asyncio.Runner()
        self._count = 0

    @property
    def pid(self) -> int:
        """Process id of the models' process."""
        return (self._engine.pid if self._engine else None) or 0

    def load(self) -> None:
        """Load the pair.

        Raises:
            EngineError: it cannot be loaded.
        """
        self._runner.run(self._session.load(self._settings))
        if self._pair.state != "ready":
            raise self._pair.error or EngineError(self._pair.trouble)

    def ask(
        self, words: int, panes: tuple[PaneName, ...]
    ) -> dict[PaneName, AnswerTimes]:
        """Ask a question of about so many words that shares no prefix with another.

        Raises:
            EngineError: it could not be answered.
        """
        return self._runner.run(self._ask(words, panes))

    async def _ask(
        self, words: int, panes: tuple[PaneName, ...]
    ) -> dict[PaneName, AnswerTimes]:
        from medassist.consult.consultation import Consultation

        self._count += 1
        self._session.new(Consultation())
        text = question(self._count, words)
        begun = time.perf_counter()
        firsts: dict[PaneName, float] = {}

        def watch(event: Reading | Written | Answered) -> None:
            if not isinstance(event, Reading):
                firsts.setdefault(event.pane, time.perf_counter() - begun)

        asked = self._session.begin(text, seed=1, panes=panes)
        outcome = await self._session.answer(asked, self._settings, "together", watch)
        if self._pair.error is not None:
            raise self._pair.error
        if outcome.too_long:
            worst = outcome.too_long[0]
            raise EngineError(
                f"The question of {worst.tokens:,} tokens does not fit into the "
                f"context of the app's pane, which has room for {worst.fits:,}. Take "
                "fewer with -p."
            )
        found: dict[PaneName, AnswerTimes] = {}
        for pane, answer in asked.answers.items():
            figures = answer.figures
            if figures is None:
                raise EngineError(f"The {pane} pane did not answer.")
            found[pane] = AnswerTimes(
                firsts.get(pane, 0.0),
                figures.tok_per_s,
                figures.tokens_read + figures.tokens_reused,
                figures.tokens_written,
            )
        return found

    def close(self) -> None:
        """End the models' process."""
        try:
            self._runner.run(self._session.close())
        finally:
            self._runner.close()
