"""The training loop of the base: schedule, steps, checkpoints, stopping."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from finetune.errors import FinetuneError, Interrupted
from finetune.starter.pretrain_checkpoint import (
    PretrainState,
    read_checkpoint,
    write_checkpoint,
)
from finetune.train.stop_signal import asked_to_stop

CHECKPOINT_SECONDS = 120.0
MAX_GRADIENT_NORM = 1.0
PAUSE_FACTOR = 6.0  # a step so many times slower than usual was a pause


@dataclass(frozen=True)
class Length:
    """Length of a training, in steps or in seconds of computing."""

    steps: int | None = None
    seconds: float | None = None

    def done(self, progress: PretrainState) -> float:
        """Share of the training that is done, 0 to 1."""
        if self.steps is not None:
            return min(1.0, progress.step / self.steps)
        if self.seconds is None:
            raise ValueError("a length is a number of steps or of seconds")
        return min(1.0, progress.seconds / self.seconds)


def rate_share(done: float, warm_up: float, decay: float) -> float:
    """The share of the full learning rate: a rise, a plateau, a line down to zero."""
    if done < warm_up:
        return max(done / warm_up, 0.01)
    if decay > 0 and done > 1 - decay:
        return (1 - done) / decay
    return 1.0


class StepWatcher(Protocol):
    """Callback that is told about each step."""

    def step(
        self, progress: PretrainState, done: float, loss: float, rate: float
    ) -> None:
        """A step is done; `rate` is tokens per second."""
        ...


@dataclass
class Training:
    """Model, data and settings of a training."""

    parameters: dict[str, torch.Tensor]
    """Weights that are trained: float32, by name."""
    optimizers: dict[str, torch.optim.Optimizer]
    gradients: Callable[[int, float], tuple[float, int]]
    """Fills `.grad` of the parameters; returns the loss and the tokens of the step.

    Takes the step's number and the share of the training that is behind us."""
    changed: Callable[[], None] = lambda: None
    """Called when the parameters have new values."""


def train(
    training: Training,
    length: Length,
    checkpoints: Path,
    watcher: StepWatcher,
    *,
    warm_up: float,
    decay: float,
) -> PretrainState:
    """Train to the end of `length`, from the newest checkpoint where there is one.

    Ctrl-C and SIGTERM end it after the step that runs, with a checkpoint.

    Raises:
        Interrupted: it was stopped; the same call goes on where it was.
        FinetuneError: the loss is no longer a number.
    """
    progress = read_checkpoint(checkpoints, training.parameters, training.optimizers)
    progress = progress or PretrainState()
    training.changed()
    full_rates = {
        kind: [float(group["lr"]) for group in optimizer.param_groups]
        for kind, optimizer in training.optimizers.items()
    }
    watch = ActiveTime()
    saved_at = progress.seconds
    with asked_to_stop() as stopping:
        while (done := length.done(progress)) < 1:
            share = rate_share(done, warm_up, decay)
            for kind, optimizer in training.optimizers.items():
                for group, rate in zip(
                    optimizer.param_groups, full_rates[kind], strict=True
                ):
                    group["lr"] = rate * share
            watch.start()
            loss, tokens = training.gradients(progress.step, done)
            if not math.isfinite(loss):
                raise FinetuneError(
                    f"the loss at step {progress.step} is {loss}; lower the learning "
                    "rate in the recipe"
                )
            torch.nn.utils.clip_grad_norm_(
                training.parameters.values(), MAX_GRADIENT_NORM
            )
            for optimizer in training.optimizers.values():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            training.changed()
            seconds = watch.stop()
            progress = replace(
                progress,
                step=progress.step + 1,
                tokens=progress.tokens + tokens,
                seconds=progress.seconds + seconds,
            )
            watcher.step(progress, length.done(progress), loss, tokens / seconds)
            if stopping():
                file = _save(checkpoints, progress, training)
                raise Interrupted(
                    f"stopped after step {progress.step:,}; what was learned is in "
                    f"{file}. The same command with --resume goes on from there",
                    file,
                )
            if progress.seconds - saved_at > CHECKPOINT_SECONDS:
                _save(checkpoints, progress, training)
                saved_at = progress.seconds
    _save(checkpoints, progress, training)
    return progress


class ActiveTime:
    """Seconds of computing, pauses excluded.

    A program that was held (SIGSTOP, a closed laptop) finds a step that took minutes.
    Such a step counts as a usual one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = 0.0
        self._last: deque[float] = deque(maxlen=25)

    def start(self) -> None:
        self._started = self._clock()

    def stop(self) -> float:
        """Seconds since `start`, a pause taken out; never 0."""
        seconds = max(self._clock() - self._started, 1e-6)
        if len(self._last) >= 5:
            usual = statistics.median(self._last)
            if seconds > PAUSE_FACTOR * usual and seconds > 10:
                return usual
        self._last.append(seconds)
        return seconds


def _save(folder: Path, progress: PretrainState, training: Training) -> Path:
    return write_checkpoint(folder, progress, training.parameters, training.optimizers)
