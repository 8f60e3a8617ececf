"""Progress bar and metrics of the base's training."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bar,
)

from finetune.starter.pretrain_checkpoint import PretrainState
from medassist.core.terminal import say_on
from medassist.core.words import duration

LINE_SECONDS = 15.0  # between lines where the output is not a terminal
SMOOTHED = 20  # steps that the shown loss and speed are the mean of


class PretrainProgress:
    """A stage's progress: a bar on a terminal, a line now and then elsewhere.

    Every step also becomes a line of metrics.jsonl.
    """

    def __init__(self, stage: str, metrics: Path, console: Console) -> None:
        self._stage = stage
        self._metrics = metrics
        self._console = console
        self._losses: deque[float] = deque(maxlen=SMOOTHED)
        self._rates: deque[float] = deque(maxlen=SMOOTHED)
        self._last_line = 0.0
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(stage, total=1.0, figures="")

    def __enter__(self) -> Self:
        self._file = self._metrics.open("a", encoding="utf-8")
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        self._file.close()

    def step(
        self, progress: PretrainState, done: float, loss: float, rate: float
    ) -> None:
        """Take in a step; `rate` in tokens per second."""
        row = {
            "stage": self._stage,
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 2),
            "loss": round(loss, 5),
        }
        self._file.write(json.dumps(row) + "\n")
        self._losses.append(loss)
        self._rates.append(rate)
        left = progress.seconds * (1 - done) / done if done else 0.0
        figures = (
            f"step {progress.step:,}  loss {_mean(self._losses):.3f}  "
            f"{_mean(self._rates):,.0f} tok/s  {duration(left)} left"
        )
        self._bar.update(self._task, completed=done, figures=figures)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line > LINE_SECONDS:
            self._last_line = now
            self._file.flush()
            say_on(self._console, f"{self._stage}  {done:4.0%}  {figures}")


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)
