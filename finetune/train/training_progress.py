"""Progress display of a training."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
)

from finetune.train.metrics import TrainingStep
from medassist.core.terminal import say_on
from medassist.core.words import duration, memory

LINE_SECONDS = 15.0  # between lines where the output is not a terminal
SMOOTHED = 20  # steps that the shown loss and speed are the mean of


class TrainingProgress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._losses: deque[float] = deque(maxlen=SMOOTHED)
        self._speeds: deque[float] = deque(maxlen=SMOOTHED)
        self._validation = ""
        self._last_line = 0.0
        self._began: tuple[float, int] | None = None
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=total, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, step: TrainingStep) -> None:
        """Take in a line of metrics.jsonl."""
        if step.validation_loss is not None:
            self._validation = f"  validation {step.validation_loss:.3f}"
            text = f"step {step.step:,}: validation loss {step.validation_loss:.4f}"
            say_on(self._console, text)
            return
        if step.loss is None:
            return
        if self._began is None:
            self._began = (step.seconds, step.step)
        self._losses.append(step.loss)
        self._speeds.append(step.tokens_per_second or 0.0)
        figures = (
            f"{step.step:,}/{self._total:,}  loss {_mean(self._losses):.3f}"
            f"{self._validation}  {_mean(self._speeds):,.0f} tok/s  "
            f"{memory(step.memory or 0)}  {self._left(step)} left"
        )
        self._bar.update(self._task, completed=step.step, figures=figures)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line > LINE_SECONDS:
            self._last_line = now
            share = 100 * step.step // self._total
            say_on(self._console, f"training {share:3} %  {figures}")

    def _left(self, step: TrainingStep) -> str:
        seconds, first = self._began or (0.0, 0)
        if step.step <= first:
            return "?"
        each = (step.seconds - seconds) / (step.step - first)
        return duration(each * (self._total - step.step))


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)
