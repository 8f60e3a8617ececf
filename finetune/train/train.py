"""Runs a training to its end: the adapter and training.json."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable
from typing import Any, cast

from rich.console import Console

from finetune.errors import FinetuneError, Interrupted
from finetune.train.checkpoint import (
    folder_of,
    load_adapter_weights,
    newest,
    read_state,
    save_adapter,
)
from finetune.train.metrics import MetricsFile, TrainingStep
from finetune.train.preparation import TOKENIZER, PreparedTraining, forget
from finetune.train.result import Best, Cost, TrainingResult, write_training
from finetune.train.shortage import shortage_told
from finetune.train.training_folder import TrainingRun
from finetune.train.training_progress import TrainingProgress
from finetune.train.tuner import NothingLearned
from medassist.core.files import give_name, sha256_of_file
from medassist.core.run_folder import ADAPTER_WEIGHTS, METRICS

PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")


def train(prepared: PreparedTraining, console: Console) -> TrainingResult | None:
    """Train, and write adapter and training.json.

    Returns:
        What it was; None in all processes but the first, which write nothing.

    Raises:
        Interrupted: the user stopped it; a checkpoint and an adapter are there, if a
            step was done.
        FinetuneError: memory or disk ran out, or the loss is no longer a number.
    """
    run, tuner = prepared.run, prepared.tuner
    main = tuner.is_world_process_zero()
    first = read_state(prepared.resumed).step if prepared.resumed else 0
    metrics = MetricsFile(run.root / METRICS, first if first else -1) if main else None
    board = _board(run) if main and prepared.wishes.tensorboard else None
    if main:  # so that a checkpoint's adapter has all that an adapter needs
        prepared.tokenizer.save_pretrained(run.checkpoints / TOKENIZER)
    try:
        with TrainingProgress(console, prepared.estimate.steps) as progress:
            if metrics is not None:
                prepared.report.takers = [metrics.write, progress.show]
            if board is not None:
                prepared.report.takers.append(board)
            with shortage_told(run.recipe):
                _steps(prepared)
    except NothingLearned:
        raise _nothing_learned(run) from None
    finally:
        if metrics is not None:
            metrics.close()
    if not tuner.state.global_step:
        raise _nothing_learned(run)
    tuner.accelerator.wait_for_everyone()
    result = _finish(prepared) if main else None
    if result is not None:
        write_training(run.root, result)
    # Who starts several processes ends them all when one of them has ended.
    tuner.accelerator.wait_for_everyone()
    if tuner.course.stopped_why == "asked":
        raise Interrupted(
            f"stopped after step {tuner.state.global_step:,} of "
            f"{prepared.estimate.steps:,}; the best so far is the adapter in "
            f"{run.adapter}. Go on with: medassist finetune train {run.root} --resume",
            newest(run.checkpoints) or run.checkpoints,
        )
    if result is not None and not result.unfinished:
        forget(prepared)
    return result


def _steps(prepared: PreparedTraining) -> None:
    """All steps that are left; none of a training that only wants its adapter."""
    tuner, resumed = prepared.tuner, prepared.resumed
    if resumed is None:
        tuner.train()
    elif not tuner.take_up(resumed, prepared.estimate.steps):
        tuner.train(resume_from_checkpoint=str(resumed))


def _nothing_learned(run: TrainingRun) -> Interrupted:
    return Interrupted(
        "stopped before the first step was done, so that nothing was learned. Begin "
        f"again with: medassist finetune train {run.root}",
        run.checkpoints,
    )


def _finish(prepared: PreparedTraining) -> TrainingResult:
    """Make the adapter of the best checkpoint, and the account of the training."""
    run, tuner, course = prepared.run, prepared.tuner, prepared.tuner.course
    step = course.best_step or tuner.state.global_step
    best = folder_of(run.checkpoints, step)
    load_adapter_weights(tuner.adapted, best)
    half = run.root / ".adapter.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    save_adapter(tuner.adapted, half)
    prepared.tokenizer.save_pretrained(half)
    if run.adapter.exists():
        shutil.rmtree(run.adapter)
    give_name(half, run.adapter)
    notes = list(prepared.notes)
    first = course.first_validation_loss
    if first is not None and course.best_loss is not None and course.best_loss >= first:
        notes.append(
            f"no validation was better than the base's own ({first:.4f}): this "
            "training did harm or nothing"
        )
    seconds = tuner.seconds()
    wishes = prepared.wishes
    cost = None
    if wishes.price is not None:
        cost = Cost(
            price_per_hour=wishes.price,
            spent=seconds / 3600 * wishes.price,
            budget=wishes.budget,
        )
    data = (run.data / f"{name}.jsonl" for name in ("train", "validation"))
    return TrainingResult(
        recipe=run.recipe.name,
        recipe_sha256=run.recipe_sha256,
        data_sha256={
            file.name: sha256_of_file(file) for file in data if file.is_file()
        },
        base=prepared.base,
        method=prepared.method,
        train=prepared.train,
        validation=prepared.validation,
        steps=tuner.state.global_step,
        planned_steps=prepared.estimate.steps,
        epochs=tuner.state.epoch or 0.0,
        tokens=course.tokens,
        seconds=seconds,
        step_seconds=course.step_seconds,
        tokens_per_second=course.tokens / max(course.step_seconds, 1e-9),
        peak_memory=tuner.memory(),
        hardware=prepared.hardware.words,
        processes=prepared.hardware.processes,
        precision=prepared.hardware.precision,
        seed=run.recipe.seed,
        cost=cost,
        first_validation_loss=first,
        training_loss=sum(course.recent) / len(course.recent),
        best=Best(
            step=step,
            checkpoint=str(best.relative_to(run.root)),
            validation_loss=course.best_loss,
        ),
        stopped_why=cast("Any", course.stopped_why),
        notes=tuple(notes),
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        adapter_sha256=sha256_of_file(run.adapter / ADAPTER_WEIGHTS),
    )


def _board(run: TrainingRun) -> Callable[[TrainingStep], None]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FinetuneError(
            "--tensorboard needs the package tensorboard: pip install tensorboard"
        ) from error
    writer = SummaryWriter(str(run.root / "tensorboard"))

    def write(step: TrainingStep) -> None:
        figures = step.model_dump(exclude={"step"}, exclude_none=True)
        for name, value in figures.items():
            writer.add_scalar(f"train/{name}", value, step.step)
        writer.flush()

    return write
