"""training.json: settings, cost and result of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finetune.errors import FinetuneError
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.run_folder import TRAINING
from medassist.core.validated import first_problem
from medassist.frozen_model import FrozenModel

StopReason = Literal["finished", "early", "budget", "asked"]
UNFINISHED: frozenset[StopReason] = frozenset({"budget", "asked"})
"""Ends of a training that goes on with --resume."""


class Base(FrozenModel):
    """The model that was trained on."""

    name: str
    """Name in the recipe: a folder or a hub id."""
    files: dict[str, str]
    """SHA-256 of its weights, configuration and tokenizer, by file name."""
    architecture: str
    parameters: int
    context: int
    """Tokens."""


class Method(FrozenModel):
    """Method by which the adapter was made."""

    kind: Literal["lora", "rslora", "dora", "qlora", "alora"]
    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    """The modules that the adapter acts on, by their last names."""
    trainable: int
    """Parameters."""
    chat_format: str
    """`the tokenizer's template`, or `plain` where the base has none."""
    invocation: tuple[int, ...] = ()
    """Activated LoRA only: the tokens that switch it on."""


class RowCounts(FrozenModel):
    """Counts of rows and records of one split."""

    records: int
    """Lines of the file."""
    used: int
    """Records that were trained (or validated) on."""
    left_out: dict[str, int] = {}
    """Records that were not, by reason."""
    rows: int
    """Rows of the model after packing."""
    tokens: int
    """Tokens of an epoch, padding not counted."""
    answer_tokens: int
    """Those of them that are in the loss."""


class Cost(FrozenModel):
    """Money, in the currency that the price was given in (dollars)."""

    price_per_hour: float
    spent: float
    budget: float | None = None


class Best(FrozenModel):
    """The checkpoint that became the adapter."""

    step: int
    checkpoint: str
    """Relative to the run folder."""
    validation_loss: float | None
    """Nats per token in the loss, over the whole validation set; none without one."""


class TrainingResult(FrozenModel):
    """Content of training.json."""

    version: Literal[1] = 1
    recipe: str
    """The recipe's name."""
    recipe_sha256: str
    """Hash of RUN/recipe.yaml."""
    data_sha256: dict[str, str]
    """Hashes of data/train.jsonl and data/validation.jsonl, by file name."""
    base: Base
    method: Method
    train: RowCounts
    validation: RowCounts | None = None
    steps: int
    planned_steps: int
    epochs: float
    tokens: int
    """Tokens trained on, padding not counted; a record counts in each epoch."""
    seconds: float
    """Of the whole training with validations and checkpoints, pauses between
    interrupted calls not counted."""
    step_seconds: float
    """Seconds of the steps alone."""
    tokens_per_second: float
    """`tokens` by `step_seconds`."""
    peak_memory: int
    """Bytes: of the GPU where one trained, else of the process."""
    hardware: str
    processes: int = 1
    precision: Literal["bf16", "fp16", "fp32"]
    seed: int
    cost: Cost | None = None
    first_validation_loss: float | None = None
    """Validation loss before the first step: the base's own."""
    training_loss: float
    """Mean of the last steps, nats per token in the loss."""
    best: Best
    stopped_why: StopReason
    notes: tuple[str, ...] = ()
    """Notes on what was chosen or found on the way, in sentences."""
    versions: dict[str, str]
    adapter_sha256: str
    """Hash of adapter/adapter_model.safetensors."""

    @property
    def unfinished(self) -> bool:
        """Whether there are steps left, for --resume."""
        return self.stopped_why in UNFINISHED


def read_training(run: Path) -> TrainingResult:
    """The result in the run folder `run`.

    Raises:
        FinetuneError: there is none, or it is not one of this version.
    """
    file = run / TRAINING
    try:
        return TrainingResult.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise FinetuneError(
            f"{file} is not there: {run} holds no finished training. Train with: "
            f"medassist finetune train {run}"
        ) from None
    except OSError as error:
        raise FinetuneError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise FinetuneError(
            f"{file} is not a result of this version: {first_problem(error)}. "
            f"Train anew in another folder"
        ) from error


def write_training(run: Path, result: TrainingResult) -> None:
    """Write training.json, whole or not at all."""
    write_whole(run / TRAINING, result.model_dump_json(indent=2) + "\n", SHARED_FILE)
