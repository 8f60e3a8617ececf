"""metrics.jsonl: a line for each step and each validation of a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from finetune.errors import FinetuneError
from medassist.core.files import SHARED_FILE, sync, write_whole
from medassist.core.run_folder import METRICS
from medassist.frozen_model import FrozenModel


class TrainingStep(FrozenModel):
    """One line: a step, or a validation (which has no `loss`)."""

    step: int
    """Steps done; 0 is before the first."""
    epoch: float
    tokens: int
    """Trained on so far, padding not counted."""
    seconds: float
    """Since the training began, pauses between calls not counted."""
    loss: float | None = None
    """Loss of this step: nats per token in the loss, over the whole global batch."""
    validation_loss: float | None = None
    """Nats per token in the loss, the sum over the validation set by its tokens."""
    rate: float | None = None
    """The learning rate."""
    gradient_norm: float | None = None
    """Norm before clipping."""
    tokens_per_second: float | None = None
    memory: int | None = None
    """Bytes at the peak so far: of the GPU where one trains, else of the process."""


class StepListeners:
    """Takes in the lines of metrics.jsonl, before and while somebody watches."""

    def __init__(self) -> None:
        self.takers: list[Callable[[TrainingStep], None]] = []

    def __call__(self, step: TrainingStep) -> None:
        for taker in self.takers:
            taker(step)


class MetricsFile:
    """Appends lines; a step that is trained again after a break replaces its line."""

    def __init__(self, file: Path, from_step: int) -> None:
        """Open `file`; lines after step `from_step` are dropped."""
        self._file = file
        kept = [s for s in _read(file) if s.step <= from_step] if file.exists() else []
        write_whole(file, "".join(_line(step) for step in kept), SHARED_FILE)
        self._out = file.open("a", encoding="utf-8")

    def write(self, step: TrainingStep) -> None:
        """Append a line; it is on its way to the disk when this returns."""
        self._out.write(_line(step))
        self._out.flush()

    def close(self) -> None:
        """Flush to the disk and close."""
        self._out.close()
        sync(self._file)


def read_metrics(run: Path) -> list[TrainingStep]:
    """The lines of RUN/metrics.jsonl, in order.

    Raises:
        FinetuneError: the file is missing or a whole line of it is no step; a last
            line that a kill cut off is left out.
    """
    file = run / METRICS
    if not file.is_file():
        raise FinetuneError(
            f"{file} is not there: nothing has been trained in {run}. Train with: "
            f"medassist finetune train {run}"
        )
    return _read(file)


def _line(step: TrainingStep) -> str:
    return step.model_dump_json(exclude_none=True) + "\n"


def _read(file: Path) -> list[TrainingStep]:
    steps: list[TrainingStep] = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                break
            try:
                steps.append(TrainingStep.model_validate_json(line))
            except ValidationError as error:
                raise FinetuneError(
                    f"{file}, line {number} is not a step of a training: "
                    f"{error.errors()[0]['msg']}"
                ) from error
    return steps
