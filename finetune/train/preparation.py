"""Loads everything a training needs, and estimates it."""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig

from finetune.data.split_file import count_records
from finetune.errors import FinetuneError
from finetune.recipe import LoraPart, TrainRecipe
from finetune.train import estimate as estimates
from finetune.train.arguments import (
    lora_config,
    planned_steps,
    trainer_arguments,
)
from finetune.train.base_folder import BaseFolder, load_model, open_base
from finetune.train.base_model import hash_base
from finetune.train.checkpoint import newest
from finetune.train.course import TrainingLimits
from finetune.train.estimate import Shape, TrainingEstimate, TrainingLoad
from finetune.train.hardware import Hardware, choose
from finetune.train.metrics import StepListeners, TrainingStep
from finetune.train.result import Base, Method, RowCounts
from finetune.train.schedule import Schedule
from finetune.train.training_folder import TrainingRun, check_resumed
from finetune.train.training_rows import (
    RowOptions,
    SplitRows,
    write_rows,
)
from finetune.train.trial import tokens_per_second
from finetune.train.tuner import Tuner
from medassist.core.progress import Watcher, unwatched
from medassist.core.way_out import DIRECT, WayOut

TOKENIZER = ".tokenizer"  # under checkpoints/: the one that belongs to the adapter
TOKENS = ".tokens"  # under checkpoints/: the rows, taken away when it is done


@dataclass(frozen=True)
class TrainingWishes:
    """Options of the command beside the recipe."""

    resume: bool = False
    device: str = "auto"
    price: float | None = None
    """Dollars an hour."""
    budget: float | None = None
    """Dollars for the whole training, what earlier calls spent included."""
    tensorboard: bool = False
    download: bool = False
    way: WayOut = DIRECT
    """Connection for downloading the base."""
    threads: int | None = None


@dataclass
class PreparedTraining:
    """Everything a training needs, with its estimate."""

    run: TrainingRun
    wishes: TrainingWishes
    hardware: Hardware
    tuner: Tuner
    tokenizer: PreTrainedTokenizerBase
    base: Base
    method: Method
    train: RowCounts
    validation: RowCounts | None
    estimate: TrainingEstimate
    notes: list[str]
    resumed: Path | None
    report: StepListeners


def prepare(
    run: TrainingRun,
    wishes: TrainingWishes,
    *,
    watcher: Watcher = unwatched,
    clock: Callable[[], float] = time.monotonic,
    asked: Callable[[], bool] = lambda: False,
) -> PreparedTraining:
    """Load all that a training needs, and estimate it.

    Args:
        run: The run folder; its data are prepared.
        wishes: What the call says beside the recipe.
        watcher: Is told how far it is.
        clock: Seconds; what budget and checkpoints go by.
        asked: Whether the user wants it to stop; looked at after each part of a step.

    Raises:
        FinetuneError: something is missing or does not suit.
    """
    began = clock()
    recipe = run.recipe
    if wishes.budget is not None and wishes.price is None:
        raise FinetuneError("--budget is kept by the price: say --price PER_HOUR too")
    _quiet()
    if wishes.threads:
        torch.set_num_threads(wishes.threads)
    hardware = choose(recipe, wishes.device)
    resumed = newest(run.checkpoints) if wishes.resume else None
    if resumed is not None:
        check_resumed(run, resumed)
    arguments = trainer_arguments(run, hardware)
    with arguments.main_process_first(desc="the base"):
        base = open_base(run, download=wishes.download, way=wishes.way, watcher=watcher)
    with arguments.main_process_first(desc="tokenizing"):
        train, validation = _rows(run, base, arguments, watcher)
    model = load_model(recipe, base, hardware, watcher)
    shape = estimates.shape_of(model)
    report = StepListeners()
    tuner = _tuner(
        run,
        model,
        base,
        arguments,
        (train, validation),
        _limits(recipe, wishes, validation is not None, asked, clock),
        report,
        began,
    )
    packed = len(cast("Any", tuner.train_dataset))
    trainable = sum(p.numel() for p in tuner.adapted.parameters() if p.requires_grad)
    return PreparedTraining(
        run=run,
        wishes=wishes,
        hardware=hardware,
        tuner=tuner,
        tokenizer=base.tokenizer,
        base=Base(
            name=recipe.base,
            files=hash_base(base.folder),
            architecture=type(model).__name__,
            parameters=shape.parameters,
            context=base.context or recipe.train.max_length,
        ),
        method=_method(recipe.lora, tuner.adapted, trainable, base),
        train=train.figures.model_copy(update={"rows": packed}),
        validation=validation.figures if validation else None,
        estimate=_estimate(
            recipe, hardware, shape, trainable, (train, validation), tuner, wishes
        ),
        notes=[f"precision: {hardware.why}", *base.notes],
        resumed=resumed,
        report=report,
    )


def forget(prepared: PreparedTraining) -> None:
    """Remove what was made for a training that does not start."""
    for name in (TOKENS, TOKENIZER):
        shutil.rmtree(prepared.run.checkpoints / name, ignore_errors=True)


def _limits(
    recipe: TrainRecipe,
    wishes: TrainingWishes,
    validated: bool,
    asked: Callable[[], bool],
    clock: Callable[[], float],
) -> TrainingLimits:
    seconds = None
    if wishes.budget is not None and wishes.price is not None:
        seconds = 3600 * wishes.budget / wishes.price
    patience = recipe.train.patience if validated else None
    return TrainingLimits(
        patience, seconds, recipe.train.checkpoint_minutes * 60, asked, clock
    )


def _rows(
    run: TrainingRun,
    base: BaseFolder,
    arguments: SFTConfig,
    watcher: Watcher,
) -> tuple[SplitRows, SplitRows | None]:
    options = RowOptions.of(run.recipe.train, base.invocation, run.recipe.seed)
    folder = run.checkpoints / TOKENS
    # A folder for each process: `datasets` keeps what it packed beside its input.
    folder = folder / str(arguments.process_index)
    shutil.rmtree(folder, ignore_errors=True)
    train = write_rows(
        run.data / "train.jsonl",
        folder / "train.arrow",
        base.tokenizer,
        options,
        watcher,
    )
    file = run.data / "validation.jsonl"
    if run.recipe.train.validation_records:
        at_most = run.recipe.train.validation_records
        options = RowOptions(
            options.max_length, options.cut, base.invocation, at_most, options.seed
        )
    if not count_records(file):
        return train, None
    arrow = folder / "validation.arrow"
    return train, write_rows(file, arrow, base.tokenizer, options, watcher)


def _tuner(
    run: TrainingRun,
    model: PreTrainedModel,
    base: BaseFolder,
    arguments: SFTConfig,
    splits: tuple[SplitRows, SplitRows | None],
    limits: TrainingLimits,
    report: Callable[[TrainingStep], None],
    began: float,
) -> Tuner:
    train, validation = splits
    recipe = run.recipe
    model.config.name_or_path = base.name
    try:
        tuner = Tuner(
            model=model,
            processing_class=base.tokenizer,
            arguments=arguments,
            train_dataset=train.dataset(),
            eval_dataset=validation.dataset() if validation else None,
            peft_config=lora_config(recipe.lora, model, base.invocation),
            validate_every=0,
            limits=limits,
            schedule=Schedule(recipe.train.schedule, recipe.train.warm_up),
            recipe_sha256=run.recipe_sha256,
            report=report,
            began=began,
        )
    except ValueError as error:
        if "arget modules" in str(error):
            raise FinetuneError(
                f"lora.targets: {', '.join(recipe.lora.targets)} are not in the base "
                f"{recipe.base} (all of them must be); `all-linear` takes what is there"
            ) from error
        raise
    packed = len(cast("Any", tuner.train_dataset))
    validations = recipe.train.validations
    if validations:
        each = math.ceil(packed / recipe.train.rows)
        tuner.validate_every = max(1, round(each / validations))
    tuner.adapted.peft_config["default"].base_model_name_or_path = base.name
    return tuner


def _method(
    lora: LoraPart,
    model: PeftModel,
    trainable: int,
    base: BaseFolder,
) -> Method:
    named = {
        name.split(".lora_A")[0].rpartition(".")[2]
        for name, _ in model.named_parameters()
        if ".lora_A" in name
    }
    return Method(
        kind=lora.method,
        rank=lora.r,
        alpha=lora.scale,
        dropout=lora.dropout,
        targets=tuple(sorted(named)),
        trainable=trainable,
        chat_format="plain" if base.plain else "the tokenizer's template",
        invocation=base.invocation,
    )


def _estimate(
    recipe: TrainRecipe,
    hardware: Hardware,
    shape: Shape,
    trainable: int,
    splits: tuple[SplitRows, SplitRows | None],
    tuner: Tuner,
    wishes: TrainingWishes,
) -> TrainingEstimate:
    """Estimate for a training that is ready to begin."""
    tokens, validation = splits[0].figures.tokens, splits[1]
    packed = len(cast("Any", tuner.train_dataset))
    part = recipe.train
    load = TrainingLoad(
        trainable,
        part.rows_at_once * part.max_length,
        hardware.precision,
        recipe.lora.method == "qlora",
        part.checkpointing,
    )
    steps = planned_steps(recipe, packed, hardware.processes)
    total = tokens * steps * part.rows / packed
    if validation is not None:
        every = tuner.validate_every or steps
        read = validation.figures.tokens * (1 + math.ceil(steps / every))
        total += read / estimates.passes(load)
    needed = estimates.memory(shape, load).total
    available = estimates.available_memory(hardware.device)
    speed = tokens_per_second(tuner) if needed <= available else None
    if speed is None:
        matrix = estimates.matrix_speed(hardware.device, hardware.dtype)
        speed = estimates.expected_speed(shape, load, matrix)
    seconds = total / speed / hardware.processes
    return TrainingEstimate(
        trainable=trainable,
        parameters=shape.parameters,
        tokens_per_epoch=tokens,
        steps=steps,
        memory=needed,
        available=available,
        seconds=seconds,
        cost=seconds / 3600 * wishes.price if wishes.price else None,
    )


def _quiet() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    import datasets

    datasets.disable_progress_bars()
    for name in ("peft", "trl", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", module="peft")
