"""Before a training: all that it needs is loaded, and what it takes is estimated."""

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

from finetune.errors import FinetuneError
from finetune.recipe import LoraPart, TrainRecipe
from finetune.train import estimate as estimates
from finetune.train.arguments import (
    FALLING,
    lora_config,
    planned_steps,
    trainer_arguments,
)
from finetune.train.base_model import (
    context_of,
    find_base,
    give_pad,
    hash_base,
    load_base,
    load_config,
    load_tokenizer,
)
from finetune.train.begin import Run, check_resumed
from finetune.train.chat_format import give_template
from finetune.train.checkpoint import newest
from finetune.train.estimate import Estimate, Load, Shape
from finetune.train.hardware import Hardware, choose
from finetune.train.metrics import Step
from finetune.train.result import Base, Method, Rows
from finetune.train.rows import (
    RowOptions,
    Written,
    count_lines,
    default_invocation,
    write_rows,
)
from finetune.train.tuner import Limits, Tuner
from medassist.core.progress import Watcher, unwatched
from medassist.core.way_out import DIRECT, WayOut

TOKENS = ".tokens"  # under checkpoints/: the rows, taken away when it is done


@dataclass(frozen=True)
class Wishes:
    """What a call says beside the recipe."""

    resume: bool = False
    device: str = "auto"
    price: float | None = None
    """Dollars an hour."""
    budget: float | None = None
    """Dollars for the whole training, what earlier calls spent included."""
    tensorboard: bool = False
    download: bool = False
    way: WayOut = DIRECT
    """How the base is downloaded."""
    threads: int | None = None


class Report:
    """Takes in the lines of metrics.jsonl, before and while somebody watches."""

    def __init__(self) -> None:
        self.takers: list[Callable[[Step], None]] = []

    def __call__(self, step: Step) -> None:
        for taker in self.takers:
            taker(step)


@dataclass
class Prepared:
    """All that a training needs, and what it is expected to take."""

    run: Run
    wishes: Wishes
    hardware: Hardware
    tuner: Tuner
    tokenizer: PreTrainedTokenizerBase
    base: Base
    method: Method
    train: Rows
    validation: Rows | None
    estimate: Estimate
    notes: list[str]
    resumed: Path | None
    report: Report


def prepare(
    run: Run,
    wishes: Wishes,
    *,
    watcher: Watcher = unwatched,
    clock: Callable[[], float] = time.monotonic,
    asked: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Load all that a training needs, and estimate it.

    Args:
        run: The run folder; its data are prepared.
        wishes: What the call says beside the recipe.
        watcher: Is told how far it is.
        clock: Seconds; what budget and checkpoints go by.
        asked: Whether the user wants it to stop; looked at after each step.

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
    words = _words(run, wishes)
    arguments = trainer_arguments(run, hardware)
    with arguments.main_process_first(desc="tokenizing"):
        train, validation = _rows(run, words, arguments, watcher)
    model = _model(recipe, words, hardware, watcher)
    shape = estimates.shape_of(model)
    report = Report()
    tuner = _tuner(
        run,
        model,
        words,
        arguments,
        (train, validation),
        _limits(recipe, wishes, validation is not None, asked, clock),
        report,
        began,
    )
    packed = len(cast("Any", tuner.train_dataset))
    trainable = sum(p.numel() for p in tuner.adapted.parameters() if p.requires_grad)
    return Prepared(
        run=run,
        wishes=wishes,
        hardware=hardware,
        tuner=tuner,
        tokenizer=words.tokenizer,
        base=Base(
            name=recipe.base,
            files=hash_base(words.folder),
            architecture=type(model).__name__,
            parameters=shape.parameters,
            context=words.context or recipe.train.max_length,
        ),
        method=_method(recipe.lora, tuner.adapted, trainable, words),
        train=train.figures.model_copy(update={"rows": packed}),
        validation=validation.figures if validation else None,
        estimate=_estimate(
            recipe, hardware, shape, trainable, train.figures.tokens, packed, wishes
        ),
        notes=[f"precision: {hardware.why}", *words.notes],
        resumed=resumed,
        report=report,
    )


def forget(prepared: Prepared) -> None:
    """Take away what was made for a training that does not take place."""
    shutil.rmtree(prepared.run.checkpoints / TOKENS, ignore_errors=True)


@dataclass(frozen=True)
class _Words:
    """A base's folder, and how it reads text."""

    name: str
    """The base's, as an adapter names it."""
    folder: Path
    context: int | None
    tokenizer: PreTrainedTokenizerBase
    plain: bool
    """It brought no chat template and was given a plain one."""
    invocation: tuple[int, ...]
    notes: tuple[str, ...]


def _words(run: Run, wishes: Wishes) -> _Words:
    recipe = run.recipe
    name = str(run.base or recipe.base)
    folder = find_base(name, recipe.revision, download=wishes.download, way=wishes.way)
    context = context_of(load_config(folder))
    if context is not None and recipe.train.max_length > context:
        raise FinetuneError(
            f"train.max_length is {recipe.train.max_length:,} tokens, and the base "
            f"{recipe.base} was made for {context:,}; set it to {context:,} or less"
        )
    tokenizer = load_tokenizer(folder)
    notes: list[str] = []
    if (give_pad(tokenizer) or tokenizer.pad_token) == tokenizer.eos_token:
        notes.append("padding: the end token, since the base has none of its own")
    plain = give_template(tokenizer)
    if plain:
        notes.append("chat format: plain, since the base brings no chat template")
    invocation: tuple[int, ...] = ()
    if recipe.lora.method == "alora":
        invocation = default_invocation(tokenizer, recipe.lora.invocation)
    return _Words(
        _name(name), folder, context, tokenizer, plain, invocation, tuple(notes)
    )


def _model(
    recipe: TrainRecipe, words: _Words, hardware: Hardware, watcher: Watcher
) -> PreTrainedModel:
    watcher("loading the base", 0, 1)
    model = load_base(
        words.folder,
        hardware.dtype,
        device=hardware.device,
        nf4=recipe.lora.method == "qlora",
        attention=None if recipe.train.attention == "auto" else recipe.train.attention,
    )
    watcher("loading the base", 1, 1)
    vocabulary = cast("Any", model.get_input_embeddings()).weight.shape[0]
    if len(words.tokenizer) > vocabulary:
        raise FinetuneError(
            f"the tokenizer in {words.folder} has {len(words.tokenizer):,} tokens and "
            f"the model {vocabulary:,}; they do not belong together"
        )
    return model


def _limits(
    recipe: TrainRecipe,
    wishes: Wishes,
    validated: bool,
    asked: Callable[[], bool],
    clock: Callable[[], float],
) -> Limits:
    seconds = None
    if wishes.budget is not None and wishes.price is not None:
        seconds = 3600 * wishes.budget / wishes.price
    patience = recipe.train.patience if validated else None
    return Limits(patience, seconds, recipe.train.checkpoint_minutes * 60, asked, clock)


def _rows(
    run: Run,
    words: _Words,
    arguments: SFTConfig,
    watcher: Watcher,
) -> tuple[Written, Written | None]:
    options = RowOptions.of(run.recipe.train, words.invocation, run.recipe.seed)
    folder = run.checkpoints / TOKENS
    # A folder for each process: `datasets` keeps what it packed beside its input.
    folder = folder / str(arguments.process_index)
    shutil.rmtree(folder, ignore_errors=True)
    train = write_rows(
        run.data / "train.jsonl",
        folder / "train.arrow",
        words.tokenizer,
        options,
        watcher,
    )
    file = run.data / "validation.jsonl"
    if run.recipe.train.validation_records:
        at_most = run.recipe.train.validation_records
        options = RowOptions(
            options.max_length, options.cut, words.invocation, at_most, options.seed
        )
    if not count_lines(file):
        return train, None
    arrow = folder / "validation.arrow"
    return train, write_rows(file, arrow, words.tokenizer, options, watcher)


def _tuner(
    run: Run,
    model: PreTrainedModel,
    words: _Words,
    arguments: SFTConfig,
    splits: tuple[Written, Written | None],
    limits: Limits,
    report: Callable[[Step], None],
    began: float,
) -> Tuner:
    train, validation = splits
    recipe = run.recipe
    model.config.name_or_path = words.name
    try:
        tuner = Tuner(
            model=model,
            processing_class=words.tokenizer,
            arguments=arguments,
            train_dataset=train.dataset(),
            eval_dataset=validation.dataset() if validation else None,
            peft_config=lora_config(recipe.lora, model, words.invocation),
            validate_every=0,
            limits=limits,
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
    if recipe.train.schedule == "plateau":
        steps = planned_steps(recipe, packed, arguments.world_size)
        falling = {"num_decay_steps": round(FALLING * steps), "decay_type": "linear"}
        tuner.args.lr_scheduler_kwargs = falling
    validations = recipe.train.validations
    if validations:
        each = math.ceil(packed / recipe.train.rows)
        tuner.validate_every = max(1, round(each / validations))
    tuner.adapted.peft_config["default"].base_model_name_or_path = words.name
    return tuner


def _method(
    lora: LoraPart,
    model: PeftModel,
    trainable: int,
    words: _Words,
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
        chat_format="plain" if words.plain else "the tokenizer's template",
        invocation=words.invocation,
    )


def _estimate(
    recipe: TrainRecipe,
    hardware: Hardware,
    shape: Shape,
    trainable: int,
    tokens: int,
    packed: int,
    wishes: Wishes,
) -> Estimate:
    """What is to be expected; `tokens` an epoch, in `packed` rows."""
    part = recipe.train
    load = Load(
        trainable,
        part.rows_at_once * part.max_length,
        hardware.precision,
        recipe.lora.method == "qlora",
        part.checkpointing,
    )
    steps = planned_steps(recipe, packed, hardware.processes)
    speed = estimates.matrix_speed(hardware.device, hardware.dtype)
    total = round(tokens * steps * part.rows / packed)
    seconds = estimates.seconds(shape, load, total, speed) / hardware.processes
    return Estimate(
        trainable=trainable,
        parameters=shape.parameters,
        tokens_per_epoch=tokens,
        steps=steps,
        memory=estimates.memory(shape, load).total,
        available=estimates.available_memory(hardware.device),
        seconds=seconds,
        cost=seconds / 3600 * wishes.price if wishes.price else None,
    )


def _name(base: str) -> str:
    folder = Path(base).expanduser()
    return str(folder.resolve()) if folder.is_dir() else base


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
