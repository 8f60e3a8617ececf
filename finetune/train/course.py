"""Progress of a training, and the limits that end it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from finetune.train.checkpoint import State

LAST_STEPS = 20  # that the training loss is the mean of
_KEPT = (
    "tokens",
    "step_seconds",
    "first_validation_loss",
    "best_step",
    "best_loss",
    "last_loss",
    "worse",
    "validation_owed",
    "peak_memory",
)


@dataclass
class TrainingLimits:
    """Limits that end a training before its last step."""

    patience: int | None
    seconds: float | None = None
    """Seconds that the budget buys, those of earlier calls included."""
    checkpoint_seconds: float = 600.0
    asked: Callable[[], bool] = lambda: False
    """Whether the user wants it to stop."""
    clock: Callable[[], float] = time.monotonic


@dataclass
class Course:
    """Course of a training; the part that outlasts a break is in checkpoints."""

    tokens: int = 0
    seconds_before: float = 0.0
    """Seconds of earlier calls."""
    step_seconds: float = 0.0
    first_validation_loss: float | None = None
    best_step: int | None = None
    best_loss: float | None = None
    last_loss: float | None = None
    worse: int = 0
    validation_owed: bool = False
    """A stop broke off the validation at the step that the checkpoint is of."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=LAST_STEPS))
    peak_memory: int = 0
    stopped_why: str = "finished"

    @classmethod
    def of(cls, state: State) -> Course:
        """The course that a checkpoint goes on with."""
        kept = {name: getattr(state, name) for name in _KEPT}
        recent = deque(state.recent, LAST_STEPS)
        return cls(**kept, seconds_before=state.seconds, recent=recent)

    def state(self, **more: Any) -> State:
        """State for a checkpoint, beside the trainer's own."""
        kept = {name: getattr(self, name) for name in _KEPT}
        return State(**kept, recent=list(self.recent), **more)

    def over(self, step: int, steps: int, patience: int | None) -> bool:
        """Whether a training that is at `step` of `steps` has no more steps to do."""
        if patience is not None and self.worse >= patience:
            self.stopped_why = "early"
        return step >= steps or self.stopped_why == "early"

    def judge(self, step: int, loss: float) -> None:
        """Take in the validation loss at `step`; 0 is before the first."""
        self.validation_owed = False
        if step == 0:
            self.first_validation_loss = loss
            return
        self.last_loss = loss
        if self.best_loss is None or loss < self.best_loss:
            self.best_step, self.best_loss, self.worse = step, loss, 0
        else:
            self.worse += 1
