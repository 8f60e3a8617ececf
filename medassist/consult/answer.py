"""One answer of one pane, while it is written and afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medassist.core.values import Figures, PaneInfo, Sampling

State = Literal["waiting", "reading", "writing", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class ModelFile:
    """A model file, with its size and time when it was loaded."""

    path: Path
    size: int
    """Bytes."""
    mtime_ns: int


@dataclass(frozen=True)
class Source:
    """Origin of an answer: the model as it is named to the user."""

    name: str
    quantization: str = ""
    demonstration: bool = False
    """The model is not for clinical use."""
    adapter: str = ""
    """The adapter on the model, by the name of its file; empty: there is none."""
    files: tuple[ModelFile, ...] = ()
    """The weights, then the adapter."""

    @property
    def label(self) -> str:
        """Its name, with its adapter's: what tells it from its base."""
        return label(self.name, self.adapter)


def label(name: str, adapter: str) -> str:
    """The name of a model and that of the adapter on it, if any, in one."""
    return f"{name} + {adapter.removesuffix('.gguf')}" if adapter else name


@dataclass(frozen=True)
class Conditions:
    """Settings under which an answer was written."""

    setup: PaneInfo
    sampling: Sampling
    confined: str
    """Confinement of the models' process; empty where it has not said so."""
    system: str = ""
    """The system prompt that stood before the conversation; empty: there was none."""


@dataclass(frozen=True)
class _Cut:
    """Figures and thought of an answer when it was gone on with."""

    figures: Figures
    thought: str


class Answer:
    """An answer in progress or finished; its text is uncleaned engine output.

    The states run one way: waiting, reading, writing, and then one of finished,
    stopped and failed, which last. Only an answer that its limit cut off can be gone
    on with (`go_on`); it then waits again, with what is written of it.
    """

    def __init__(self, source: Source, seed: int) -> None:
        self.source = source
        self.seed = seed
        self.conditions: Conditions | None = None
        """Known once the model has been asked."""
        self.state: State = "waiting"
        self.text = ""
        self.thought = ""
        """Thought of the model before it answered; never sent back to it."""
        self.thought_tokens = 0
        self.restarts = 0
        """Times that what had come as the answer turned out to be a thought."""
        self.read_done = 0
        self.read_total = 0
        self.tokens = 0
        self.figures: Figures | None = None
        self.failure = ""
        self.died = False
        """It failed since the models' process ended under it; `failure` says how."""
        self.rounds = 0
        """Times that it was gone on with."""
        self._cut: _Cut | None = None
        """State when it was gone on with; `None` while it is not."""

    @property
    def cut_off(self) -> bool:
        """It ended at its limit, and can be gone on with."""
        cut = self.figures is not None and self.figures.ending == "length"
        return self.state == "finished" and cut and bool(self.text.strip())

    @property
    def goes_on(self) -> bool:
        """It was cut off and is being gone on with."""
        return self._cut is not None

    def go_on(self) -> None:
        """Wait to be written on from where the limit cut it off.

        Raises:
            ValueError: it was not cut off.
        """
        if not self.cut_off or self.figures is None:
            raise ValueError(
                "only an answer that its limit cut off can be gone on with"
            )
        self._cut = _Cut(self.figures, self.thought)
        self.state, self.figures = "waiting", None
        self.failure, self.died = "", False
        self.rounds += 1

    def stay_cut_off(self) -> None:
        """It is not gone on with after all: what has come of it is kept."""
        if self._cut is not None:
            self.state, self.figures = "finished", self._cut.figures
            self._cut = None

    @property
    def over(self) -> bool:
        """Whether the answer is finished, stopped or failed."""
        return self.state in ("finished", "stopped", "failed")

    @property
    def counts(self) -> bool:
        """Whether the answer is part of the history sent with later questions.

        A stopped answer does: the reader has seen it and may ask about it. A failed
        one does not, nor one that holds nothing.
        """
        return self.state in ("finished", "stopped") and bool(self.text.strip())

    def read(self, done: int, total: int) -> None:
        """The model has read `done` of `total` tokens of the prompt."""
        if self.state in ("waiting", "reading"):
            self.state = "reading"
            self.read_done, self.read_total = done, total

    def write(self, piece: str, tokens: int) -> None:
        """A further piece has come; the answer now has `tokens` tokens."""
        if self.over:
            return
        self.state = "writing"
        self.text += piece
        self.tokens = tokens + (self._cut.figures.tokens_written if self._cut else 0)

    def think(self, piece: str, tokens: int, restart: bool = False) -> None:
        """A further piece of a thought has come; it now has `tokens` tokens.

        Args:
            piece: of the thought.
            tokens: of all thoughts so far.
            restart: what had come as the answer is part of the thought.
        """
        if self.over:
            return
        if restart:
            self.text = ""
            self.restarts += 1
        self.thought += piece
        cut = self._cut
        self.thought_tokens = tokens + (cut.figures.tokens_thought if cut else 0)

    def finish(self, text: str, figures: Figures, thought: str = "") -> None:
        """The answer is whole, or was stopped: `text` is all of it."""
        if self.over:
            return
        if not text.startswith(self.text):
            self.restarts += 1
        if self._cut is not None:
            figures = figures.after(self._cut.figures)
            thought = "\n\n".join(filter(None, (self._cut.thought, thought)))
            self._cut = None
        self.text, self.figures, self.thought = text, figures, thought
        self.thought_tokens = figures.tokens_thought
        self.tokens = figures.tokens_written
        self.state = "stopped" if figures.ending == "stopped" else "finished"

    def fail(self, sentence: str, died: bool = False) -> None:
        """Mark it as failed; what was written is kept.

        An answer that was being gone on with is cut off again, as it was.

        Args:
            sentence: says why.
            died: the models' process has ended.
        """
        if self.over:
            return
        self.failure, self.died, self.state = sentence, died, "failed"
        self.stay_cut_off()

    def stop(self) -> None:
        """Mark it as stopped by the user before the model wrote anything."""
        if not self.over:
            self.state = "stopped"
