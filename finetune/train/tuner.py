"""TRL's SFTTrainer with checkpoints, limits and metrics of a run folder.

What is other than TRL's: checkpoints of our own (see `checkpoint.py`), a validation
loss over the tokens of the whole validation set, the best checkpoint and early stopping
by it, a stop that is asked for (Ctrl-C, SIGTERM, a budget) and heard within a step,
tokens counted without padding, and no message to anybody. The steps themselves are
TRL's: its packing, its chunked output layer, its loss over the tokens of the global
batch.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from datasets import Dataset
from peft import PeftModel
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from finetune.errors import FinetuneError
from finetune.train.checkpoint import (
    RandomState,
    as_json,
    load_adapter_weights,
    optimizer_tensors,
    random_state,
    read_state,
    read_tensors,
    restore_optimizer,
    restore_random,
    write_checkpoint,
)
from finetune.train.course import Course, TrainingLimits
from finetune.train.hardware import peak_memory
from finetune.train.metrics import TrainingStep
from finetune.train.schedule import Schedule
from finetune.train.training_rows import batches

TRAINER_STATE = "trainer_state.json"
SLOWEST = 5  # rounds that the time of the next one is the longest of


class Tuner(SFTTrainer):
    """Trains an adapter; see the module."""

    def __init__(
        self,
        *,
        arguments: SFTConfig,
        validate_every: int,
        limits: TrainingLimits,
        schedule: Schedule,
        recipe_sha256: str,
        report: Callable[[TrainingStep], None],
        began: float,
        **more: Any,
    ) -> None:
        """As SFTTrainer, and what a run folder needs.

        Args:
            arguments: of the training.
            validate_every: so many steps; 0 for the end only.
            limits: what ends it early.
            schedule: of the learning rate.
            recipe_sha256: of the run's recipe; kept in its checkpoints.
            report: takes in a line of metrics.jsonl.
            began: the clock's time at which the call began to cost.
            more: SFTTrainer's own.
        """
        self.course = Course()
        self.validate_every = validate_every
        self.limits = limits
        self._schedule = schedule
        self._recipe = recipe_sha256
        self._report = report
        self._began = began
        self._saved_at = limits.clock()
        self._saved_step = -1
        self._within_step = False
        self._random: tuple[RandomState, dict[str, torch.Tensor]] | None = None
        self._save_seconds = 5.0  # until one has been measured
        self._evaluate_seconds = 0.0
        self._rounds: deque[float] = deque(maxlen=SLOWEST)
        self._ended = 0.0
        self._took = 1.0
        self._step_tokens = 0
        self._step_began = 0.0
        super().__init__(args=arguments, callbacks=[_AfterEachStep(self)], **more)
        self.remove_callback(PrinterCallback)
        # TRL rounds a quantized base's adapter to bf16, where small updates are lost.
        for parameter in self.adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    @property
    def adapted(self) -> PeftModel:
        """The model with its adapter, without what wraps it for several GPUs."""
        return cast("PeftModel", self.model)

    @property
    def checkpoints(self) -> Path:
        return Path(cast("str", self.args.output_dir))

    def seconds(self) -> float:
        """Seconds of training so far, pauses excluded."""
        return self.course.seconds_before + self.limits.clock() - self._began

    def memory(self) -> int:
        """Peak memory in bytes: of the GPU, else of this process."""
        now = peak_memory(self.args.device)
        self.course.peak_memory = max(self.course.peak_memory, now)
        return self.course.peak_memory

    # ---- steps

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """The recipe's own schedule: transformers' all begin with a rate of zero."""
        share = partial(self._schedule.share, steps=num_training_steps)
        self.lr_scheduler = LambdaLR(optimizer or self._optimizer(), share)
        return self.lr_scheduler

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        inputs = cast("dict[str, torch.Tensor]", args[1])
        mask = inputs.get("attention_mask")
        tokens = inputs["input_ids"].numel() if mask is None else int(mask.sum())
        self._step_tokens += tokens
        return super().training_step(*args, **kwargs)

    def begin_step(self) -> None:
        self._step_tokens = 0
        self._step_began = self.limits.clock()
        self._within_step = True

    def end_step(self) -> None:
        """Count the step that ended."""
        if self.args.device.type == "cuda":
            torch.cuda.synchronize(self.args.device)
        self._random, self._within_step = random_state(), False
        now = self.limits.clock()
        self._took = max(now - self._step_began, 1e-9)
        self._rounds.append(now - (self._ended or self._step_began))
        self._ended = now
        self.course.step_seconds += self._took
        self.course.tokens += self._over_all(self._step_tokens)

    def stop_wish(self) -> tuple[bool, bool, bool]:
        """Whether the user, the budget, or the clock of checkpoints wants something.

        All processes agree on it: what one of them wants, all do.
        """
        limits = self.limits
        broke = False
        if limits.seconds is not None:
            # Another round, and then the end: a validation, a checkpoint, the adapter.
            end = self._evaluate_seconds + 2 * self._save_seconds
            ahead = max(self._rounds, default=0.0) + end
            broke = self.seconds() + ahead > limits.seconds
        due = limits.clock() - self._saved_at > limits.checkpoint_seconds
        asked, broke, due = self._agreed(limits.asked(), broke, due)
        return asked, broke, due

    def asked(self) -> bool:
        """Whether the user wants to stop; all processes agree."""
        return self._agreed(self.limits.asked())[0]

    def _agreed(self, *wishes: bool) -> list[bool]:
        if not dist.is_initialized():
            return list(wishes)
        told = torch.tensor(wishes, dtype=torch.float32, device=self.args.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return [bool(wish) for wish in told.tolist()]

    @property
    def saved(self) -> bool:
        """Whether there is a checkpoint of the last step."""
        return self._saved_step == self.state.global_step

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Report a step; nothing is kept in memory for each of them."""
        mode = "train" if self.adapted.training else "eval"
        self._metrics[mode].clear()
        loss = logs.get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise FinetuneError(
                f"the loss at step {self.state.global_step} is {loss}; lower "
                "train.rate in the recipe, or raise train.warm_up"
            )
        self.course.recent.append(loss)
        speed = self._over_all(self._step_tokens) / self._took
        self._report(
            self._line(
                loss=loss,
                rate=logs.get("learning_rate"),
                gradient_norm=logs.get("grad_norm"),
                tokens_per_second=speed,
                memory=self.memory(),
            )
        )
        handler = self.callback_handler
        self.control = handler.on_log(self.args, self.state, self.control, logs)

    # ---- validation

    @torch.no_grad()
    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The validation loss: summed over all tokens in the loss, by their number.

        Trainer's own is a mean of the batches' means, in which a short answer weighs
        as much as a long one. A stop that is asked for breaks it off: nothing is judged
        then, and the validation is owed.
        """
        began = self.limits.clock()
        dataset = cast("Dataset", self.eval_dataset)
        model = self.accelerator.unwrap_model(self.model)
        was_training = model.training
        model.eval()
        sums = torch.zeros(2, dtype=torch.float64, device="cpu")
        size = self.args.per_device_eval_batch_size
        rank, world = self.args.process_index, self.args.world_size
        rounds = len(dataset) // (size * world)  # that every process takes part in
        for number, rows in enumerate(batches(dataset, size, rank, world)):
            if number < rounds and self.asked():
                model.train(was_training)
                self.course.validation_owed = True
                self.course.stopped_why = "asked"
                return {}
            inputs = self._prepare_inputs(cast("Any", self.data_collator)(rows))
            with self.accelerator.autocast():
                found = model(**inputs, use_cache=False, fused_lm_head=True)
            sums[0] -= found.log_probs.double().sum().cpu()
            sums[1] += found.label_mask.sum().cpu()
        if dist.is_initialized():
            sums = sums.to(self.args.device)
            dist.all_reduce(sums)
        model.train(was_training)
        loss = float(sums[0] / sums[1])
        self._evaluate_seconds = self.limits.clock() - began
        self._judge(loss)
        metrics = {"eval_loss": loss}
        handler = self.callback_handler
        self.control = handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _judge(self, loss: float) -> None:
        self._report(self._line(validation_loss=loss))
        self.course.judge(self.state.global_step, loss)

    def _determine_best_metric(self, *_: Any, **__: Any) -> bool:
        return False

    # ---- checkpoints

    def _save_checkpoint(self, model: object, trial: object) -> None:
        began = self.limits.clock()
        # What a step that is broken off has drawn is drawn again by who goes on.
        own = (self._random if self._within_step else None) or random_state()
        everybody: list[Any] = [own]
        if dist.is_initialized():
            everybody = [None] * self.args.world_size
            dist.all_gather_object(everybody, own)
        failed = ""
        if self.is_world_process_zero():
            try:
                self._write(everybody)
            except FinetuneError as error:
                if not dist.is_initialized():
                    raise
                failed = str(error)
        if dist.is_initialized():
            told = [failed]
            dist.broadcast_object_list(told)
            if told[0]:
                raise FinetuneError(told[0])
        self._saved_at = self.limits.clock()
        self._saved_step = self.state.global_step
        self._save_seconds = self._saved_at - began

    def _write(
        self, everybody: list[tuple[RandomState, dict[str, torch.Tensor]]]
    ) -> None:
        course, optimizer = self.course, self._optimizer()
        self.memory()
        scaler = getattr(self.accelerator, "scaler", None)
        state = course.state(
            step=self.state.global_step,
            recipe_sha256=self._recipe,
            seconds=self.seconds(),
            groups=[
                {k: float(g[k]) for k in ("lr", "initial_lr") if k in g}
                for g in optimizer.param_groups
            ],
            scheduler=as_json(cast("Any", self.lr_scheduler).state_dict()),
            scaler=as_json(scaler.state_dict()) if scaler is not None else None,
            random=[plain for plain, _ in everybody],
        )
        tensors = dict(optimizer_tensors(self.adapted, optimizer))
        for rank, (_, numbers) in enumerate(everybody):
            tensors |= {f"random/{rank}/{name}": t for name, t in numbers.items()}
        self.state.log_history = []
        words = json.dumps(dataclasses.asdict(self.state), default=str)
        write_checkpoint(
            self.checkpoints,
            state,
            self.adapted,
            tensors,
            {TRAINER_STATE: words},
        )

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: object = None
    ) -> None:
        folder = Path(resume_from_checkpoint)
        load_adapter_weights(self.adapted, folder)
        state = read_state(folder)
        self.course, self._saved_step = Course.of(state), state.step

    def take_up(self, checkpoint: Path, steps: int) -> bool:
        """Take up a training that was broken off when its last step was done.

        Returns:
            False where there are steps left; then nothing has been done.
        """
        state = read_state(checkpoint)
        course = Course.of(state)
        if not course.over(state.step, steps, self.limits.patience):
            return False
        load_adapter_weights(self.adapted, checkpoint)
        self.course, self._saved_step = course, state.step
        words = (checkpoint / TRAINER_STATE).read_text("utf-8")
        self.state = TrainerState(**json.loads(words))
        if course.validation_owed:
            self.evaluate()
        return True

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state = read_state(Path(checkpoint))
        tensors = read_tensors(Path(checkpoint))
        restore_optimizer(self.adapted, self._optimizer(), tensors, state.groups)
        scheduler = cast("Any", self.lr_scheduler)
        scheduler.load_state_dict(state.scheduler)

    def _load_scaler(self, checkpoint: str | None) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if checkpoint is None or scaler is None:
            return
        state = read_state(Path(checkpoint))
        if state.scaler is not None:
            scaler.load_state_dict(state.scaler)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        state, tensors = read_state(Path(checkpoint)), read_tensors(Path(checkpoint))
        rank = self.args.process_index
        if rank < len(state.random):  # else it goes on with more processes than before
            prefix = f"random/{rank}/"
            own = {n.removeprefix(prefix): t for n, t in tensors.items() if prefix in n}
            restore_random(state.random[rank], own)

    def _load_callback_state(self) -> None:
        """Callbacks keep nothing; `Course` is in the checkpoint."""

    # ---- silence

    def _send_telemetry(self) -> None:
        """Nobody is told."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """`medassist finetune report` writes the card, from the run's files."""

    def _optimizer(self) -> torch.optim.Optimizer:
        outer = cast("Any", self.optimizer)
        return getattr(outer, "optimizer", outer)

    def _over_all(self, value: int) -> int:
        if not dist.is_initialized():
            return value
        summed = torch.tensor(value, device=self.args.device)
        dist.all_reduce(summed)
        return int(summed)

    def _line(self, **figures: Any) -> TrainingStep:
        return TrainingStep(
            step=self.state.global_step,
            epoch=self.state.epoch or 0.0,
            tokens=self.course.tokens,
            seconds=self.seconds(),
            **figures,
        )


class NothingLearned(Exception):
    """Stopped before the first step."""


class _AfterEachStep(TrainerCallback):
    """Decides after each step whether to validate, to save, to stop."""

    def __init__(self, tuner: Tuner) -> None:
        self._tuner = tuner

    def on_train_begin(
        self, args: object, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        tuner = self._tuner
        if state.global_step == 0 and tuner.eval_dataset is not None:
            tuner.evaluate()
            if tuner.course.first_validation_loss is None:
                raise NothingLearned
        elif tuner.course.validation_owed:
            tuner.evaluate()

    def on_step_begin(
        self, args: object, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._tuner.begin_step()

    def on_step_end(
        self, args: object, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        tuner, course = self._tuner, self._tuner.course
        tuner.end_step()
        asked, broke, due = tuner.stop_wish()
        last = state.global_step >= state.max_steps
        ends = last or asked or broke
        every = tuner.validate_every
        wanted = last or (every and state.global_step % every == 0)
        if tuner.eval_dataset is not None and (wanted or (broke and not asked)):
            control.should_evaluate = not asked
            course.validation_owed = asked
        control.should_save = ends or due or control.should_evaluate
        if asked and (not last or course.validation_owed):
            course.stopped_why = "asked"
        elif broke and not last:
            course.stopped_why = "budget"
        control.should_training_stop = ends

    def on_substep_end(
        self, args: object, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Break the step off: one of a large model may outlast who waits for it."""
        tuner = self._tuner
        if tuner.asked():
            tuner.course.stopped_why = "asked"
            control.should_training_stop = True
            control.should_save = state.global_step > 0 and not tuner.saved

    def on_save(
        self, args: object, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        # After the validation and its checkpoint: whether it has been going nowhere.
        tuner = self._tuner
        patience = tuner.limits.patience
        if (
            patience is not None
            and tuner.course.worse >= patience
            and not control.should_training_stop
        ):
            tuner.course.stopped_why = "early"
            control.should_training_stop = True
