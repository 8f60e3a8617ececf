"""`medassist finetune train`: from a run folder's data to its adapter."""

from __future__ import annotations

import importlib.metadata
import logging
import math
import os
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig

from finetune.errors import FinetuneError, Interrupted
from finetune.recipe import LoraPart, TrainRecipe
from finetune.train import estimate as estimates
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
from finetune.train.checkpoint import (
    ADAPTER,
    folder_of,
    load_adapter_weights,
    newest,
    read_state,
    save_adapter,
)
from finetune.train.estimate import Estimate, Load
from finetune.train.hardware import Hardware, choose
from finetune.train.metrics import NAME as METRICS
from finetune.train.metrics import MetricsFile, Step
from finetune.train.progress import TrainingProgress
from finetune.train.result import (
    Base,
    Best,
    Cost,
    Method,
    Rows,
    TrainingResult,
    write_training,
)
from finetune.train.rows import (
    RowOptions,
    Written,
    count_lines,
    default_invocation,
    write_rows,
)
from finetune.train.tuner import Limits, Tuner
from medassist.card import sha256_of_file
from medassist.progress import Watcher, unwatched

TOKENS = ".tokens"  # under checkpoints/: the rows, taken away when it is done
PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")


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
    threads: int | None = None


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
    report: _Report


class _Report:
    """Takes in the lines of metrics.jsonl, before and while somebody watches."""

    def __init__(self) -> None:
        self.takers: list[Callable[[Step], None]] = []

    def __call__(self, step: Step) -> None:
        for taker in self.takers:
            taker(step)


def prepare(
    run: Run,
    wishes: Wishes,
    *,
    watcher: Watcher = unwatched,
    clock: Callable[[], float] = time.monotonic,
    asked: Callable[[], bool] = lambda: False,
) -> Prepared:
    """Load all that a training needs, and estimate it.

    Raises:
        FinetuneError: something is missing or does not suit.
    """
    began = clock()
    recipe, notes = run.recipe, list[str]()
    if wishes.budget is not None and wishes.price is None:
        raise FinetuneError("--budget is kept by the price: say --price PER_HOUR too")
    _quiet()
    if wishes.threads:
        torch.set_num_threads(wishes.threads)
    hardware = choose(recipe, wishes.device)
    notes.append(f"precision: {hardware.why}")
    resumed = newest(run.checkpoints) if wishes.resume else None
    if resumed is not None:
        check_resumed(run, resumed)
    folder = find_base(recipe.base, recipe.revision, download=wishes.download)
    config = load_config(folder)
    context = context_of(config)
    if context is not None and recipe.train.max_length > context:
        raise FinetuneError(
            f"train.max_length is {recipe.train.max_length:,} tokens, and the base "
            f"{recipe.base} was made for {context:,}; set it to {context:,} or less"
        )
    tokenizer = load_tokenizer(folder)
    pad = give_pad(tokenizer) or tokenizer.pad_token
    if pad == tokenizer.eos_token:
        notes.append("padding: the end token, since the base has none of its own")
    plain = give_template(tokenizer)
    if plain:
        notes.append("chat format: plain, since the base brings no chat template")
    invocation: tuple[int, ...] = ()
    if recipe.lora.method == "alora":
        invocation = default_invocation(tokenizer, recipe.lora.invocation)
    arguments = _arguments(run, hardware)
    with arguments.main_process_first(desc="tokenizing"):
        train, validation = _rows(run, tokenizer, invocation, arguments, watcher)
    watcher("loading the base", 0, 1)
    model = load_base(
        folder,
        hardware.dtype,
        device=hardware.device,
        nf4=recipe.lora.method == "qlora",
        attention=None if recipe.train.attention == "auto" else recipe.train.attention,
    )
    watcher("loading the base", 1, 1)
    vocabulary = cast("Any", model.get_input_embeddings()).weight.shape[0]
    if len(tokenizer) > vocabulary:
        raise FinetuneError(
            f"the tokenizer in {folder} has {len(tokenizer):,} tokens and the model "
            f"{vocabulary:,}; they do not belong together"
        )
    shape = estimates.shape_of(model)
    limit = None
    if wishes.budget is not None and wishes.price is not None:
        limit = 3600 * wishes.budget / wishes.price
    report = _Report()
    patience = recipe.train.patience if validation is not None else None
    tuner = _tuner(
        model,
        tokenizer,
        recipe,
        arguments,
        (train, validation),
        invocation,
        hardware,
        Limits(patience, limit, recipe.train.checkpoint_minutes * 60, asked, clock),
        run.recipe_sha256,
        report,
        began,
    )
    trainable = sum(p.numel() for p in tuner.adapted.parameters() if p.requires_grad)
    packed = len(cast("Any", tuner.train_dataset))
    steps = _steps(recipe, packed, hardware.processes)
    load = Load(
        trainable,
        recipe.train.rows_at_once * recipe.train.max_length,
        hardware.precision,
        recipe.lora.method == "qlora",
        recipe.train.checkpointing,
    )
    speed = estimates.matrix_speed(hardware.device, hardware.dtype)
    total_tokens = round(train.figures.tokens * steps * recipe.train.rows / packed)
    seconds = estimates.seconds(shape, load, total_tokens, speed) / hardware.processes
    memory = estimates.memory(shape, load).total
    return Prepared(
        run=run,
        wishes=wishes,
        hardware=hardware,
        tuner=tuner,
        tokenizer=tokenizer,
        base=Base(
            name=recipe.base,
            files=hash_base(folder),
            architecture=type(model).__name__,
            parameters=shape.parameters,
            context=context or recipe.train.max_length,
        ),
        method=_method(recipe.lora, tuner.adapted, trainable, plain, invocation),
        train=train.figures.model_copy(update={"rows": packed}),
        validation=validation.figures if validation else None,
        estimate=Estimate(
            trainable=trainable,
            parameters=shape.parameters,
            tokens_per_epoch=train.figures.tokens,
            steps=steps,
            memory=memory,
            available=estimates.available_memory(hardware.device),
            seconds=seconds,
            cost=seconds / 3600 * wishes.price if wishes.price else None,
        ),
        notes=notes,
        resumed=resumed,
        report=report,
    )


def train(prepared: Prepared, console: Console) -> TrainingResult:
    """Train, and write adapter and training.json.

    Raises:
        Interrupted: the user stopped it; a checkpoint is there.
        FinetuneError: memory or disk ran out, or the loss is no longer a number.
    """
    run, tuner = prepared.run, prepared.tuner
    main = tuner.is_world_process_zero()
    first = read_state(prepared.resumed).step if prepared.resumed else 0
    metrics = MetricsFile(run.root / METRICS, first if first else -1) if main else None
    board = _board(run) if main and prepared.wishes.tensorboard else None
    try:
        with TrainingProgress(console, prepared.estimate.steps) as progress:
            if metrics is not None:
                prepared.report.takers = [metrics.write, progress.show]
            if board is not None:
                prepared.report.takers.append(board)
            with _memory(run.recipe):
                at = str(prepared.resumed) if prepared.resumed else None
                tuner.train(resume_from_checkpoint=at)
    finally:
        if metrics is not None:
            metrics.close()
    course = tuner.course
    last = newest(run.checkpoints) or run.checkpoints
    if course.stopped_why == "asked":
        raise Interrupted(
            f"stopped after step {tuner.state.global_step:,} of "
            f"{prepared.estimate.steps:,}; what was learned is in {last}. Go on with: "
            f"medassist finetune train {run.root} --resume",
            last,
        )
    tuner.accelerator.wait_for_everyone()
    if not main:
        return cast("TrainingResult", None)
    result = _finish(prepared)
    write_training(run.root, result)
    if result.stopped_why != "budget":
        shutil.rmtree(run.checkpoints / TOKENS, ignore_errors=True)
    return result


def forget(prepared: Prepared) -> None:
    """Take away what was made for a training that does not take place."""
    shutil.rmtree(prepared.run.checkpoints / TOKENS, ignore_errors=True)


@contextmanager
def asked_to_stop() -> Generator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question that is asked after each step.

    A second Ctrl-C ends it at once; the last checkpoint is whole.
    """
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before: dict[int, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, ask)
    except ValueError:  # not in the main thread: the caller owns the signals
        pass
    try:
        yield lambda: asked
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def smaller(recipe: TrainRecipe) -> str:
    """The next smaller setting, for a GPU that is too small."""
    part = recipe.train
    if part.rows_at_once > 1:
        return (
            f"set train.rows_at_once: {part.rows_at_once // 2} (the result stays the "
            "same)"
        )
    if not part.checkpointing:
        return "set train.checkpointing: true (slower, the same result)"
    if recipe.lora.method in ("lora", "rslora") and torch.cuda.is_available():
        return "set lora.method: qlora, which keeps the base in 4 bits"
    if part.max_length > 256:
        return f"set train.max_length: {part.max_length // 2}"
    if recipe.lora.r > 4:
        return f"set lora.r: {recipe.lora.r // 2}"
    return "take a smaller base"


def _arguments(run: Run, hardware: Hardware) -> SFTConfig:
    part, recipe = run.recipe.train, run.recipe
    alone = part.rows_at_once * hardware.processes
    more: dict[str, Any] = {}
    if hardware.device.type == "cpu":
        more = {"use_cpu": True}
        if hardware.processes > 1:
            more["ddp_backend"] = "gloo"
    return SFTConfig(
        output_dir=str(run.checkpoints),
        seed=recipe.seed,
        data_seed=recipe.seed,
        per_device_train_batch_size=part.rows_at_once,
        per_device_eval_batch_size=part.rows_at_once,
        gradient_accumulation_steps=part.rows // alone,
        num_train_epochs=part.epochs,
        max_steps=part.steps or -1,
        learning_rate=part.rate,
        warmup_steps=part.warm_up,
        lr_scheduler_type={
            "cosine": "cosine",
            "linear": "linear",
            "constant": "constant_with_warmup",
        }[part.schedule],
        weight_decay=part.weight_decay,
        max_grad_norm=part.max_gradient_norm,
        bf16=hardware.precision == "bf16",
        fp16=hardware.precision == "fp16",
        gradient_checkpointing=part.checkpointing,
        gradient_checkpointing_kwargs=(
            {"use_reentrant": False} if part.checkpointing else None
        ),
        max_length=part.max_length,
        packing=part.packing,
        packing_strategy="bfd_split",  # no row is longer: `rows.py` has divided them
        eval_packing=part.packing,
        shuffle_dataset=part.packing,  # so that neighbours are not packed together
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        ddp_find_unused_parameters=False if hardware.processes > 1 else None,
        dataloader_pin_memory=hardware.device.type == "cuda",
        **more,
    )


def _rows(
    run: Run,
    tokenizer: PreTrainedTokenizerBase,
    invocation: tuple[int, ...],
    arguments: SFTConfig,
    watcher: Watcher,
) -> tuple[Written, Written | None]:
    options = RowOptions.of(run.recipe.train, invocation, run.recipe.seed)
    folder = run.checkpoints / TOKENS
    # A folder for each process: `datasets` keeps what it packed beside its input.
    folder = folder / str(arguments.process_index)
    shutil.rmtree(folder, ignore_errors=True)
    train = write_rows(
        run.data / "train.jsonl", folder / "train.arrow", tokenizer, options, watcher
    )
    file = run.data / "validation.jsonl"
    if run.recipe.train.validation_records:
        at_most = run.recipe.train.validation_records
        options = RowOptions(
            options.max_length, options.cut, invocation, at_most, options.seed
        )
    if not count_lines(file):
        return train, None
    arrow = folder / "validation.arrow"
    return train, write_rows(file, arrow, tokenizer, options, watcher)


def _tuner(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    recipe: TrainRecipe,
    arguments: SFTConfig,
    splits: tuple[Written, Written | None],
    invocation: tuple[int, ...],
    hardware: Hardware,
    limits: Limits,
    recipe_sha256: str,
    report: Callable[[Step], None],
    began: float,
) -> Tuner:
    train, validation = splits
    lora = recipe.lora
    model.config.name_or_path = _name(recipe.base)
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=cast("int", lora.scale),
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.method == "rslora",
        use_dora=lora.method == "dora",
        alora_invocation_tokens=list(invocation) or None,
        fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in model.modules()),
    )
    try:
        tuner = Tuner(
            model=model,
            processing_class=tokenizer,
            arguments=arguments,
            train_dataset=train.dataset(),
            eval_dataset=validation.dataset() if validation else None,
            peft_config=config,
            validate_every=0,
            limits=limits,
            recipe_sha256=recipe_sha256,
            report=report,
            began=began,
        )
    except ValueError as error:
        if "arget modules" in str(error):
            raise FinetuneError(
                f"lora.targets: {', '.join(targets)} are not in the base {recipe.base} "
                "(all of them must be); `all-linear` takes what is there"
            ) from error
        raise
    packed = len(cast("Any", tuner.train_dataset))
    validations = recipe.train.validations
    if validations:
        each = math.ceil(packed / recipe.train.rows)
        tuner.validate_every = max(1, round(each / validations))
    tuner.adapted.peft_config["default"].base_model_name_or_path = _name(recipe.base)
    return tuner


def _steps(recipe: TrainRecipe, packed: int, processes: int) -> int:
    part = recipe.train
    if part.steps is not None:
        return part.steps
    loads = math.ceil(math.ceil(packed / part.rows_at_once) / processes)
    a_step = part.rows // (part.rows_at_once * processes)
    return math.ceil(part.epochs * max(1, math.ceil(loads / a_step)))


def _method(
    lora: LoraPart,
    model: PeftModel,
    trainable: int,
    plain: bool,
    invocation: tuple[int, ...],
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
        chat_format="plain" if plain else "the tokenizer's template",
        invocation=invocation,
    )


def _finish(prepared: Prepared) -> TrainingResult:
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
    half.replace(run.adapter)
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
        adapter_sha256=sha256_of_file(run.adapter / ADAPTER),
    )


@contextmanager
def _memory(recipe: TrainRecipe) -> Generator[None]:
    """Turn a lack of memory into a sentence with the next smaller setting."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FinetuneError(_no_memory(recipe)) from error
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "alloc" not in str(error).lower():
            raise
        raise FinetuneError(_no_memory(recipe)) from error


def _no_memory(recipe: TrainRecipe) -> str:
    return (
        f"the memory does not suffice for {recipe.name}; {smaller(recipe)}, and train "
        "in another folder by --out"
    )


def _board(run: Run) -> Callable[[Step], None]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FinetuneError(
            "--tensorboard needs the package tensorboard: pip install tensorboard"
        ) from error
    writer = SummaryWriter(str(run.root / "tensorboard"))

    def write(step: Step) -> None:
        figures = step.model_dump(exclude={"step"}, exclude_none=True)
        for name, value in figures.items():
            writer.add_scalar(f"train/{name}", value, step.step)
        writer.flush()

    return write


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
