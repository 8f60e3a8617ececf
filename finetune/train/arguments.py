"""Translates a recipe into arguments of TRL and PEFT."""

from __future__ import annotations

import math
from typing import Any, cast

from peft import LoraConfig
from transformers import PreTrainedModel
from trl.trainer.sft_config import SFTConfig

from finetune.recipe import LoraPart, TrainRecipe
from finetune.train.hardware import Hardware
from finetune.train.training_folder import TrainingRun


def trainer_arguments(run: TrainingRun, hardware: Hardware) -> SFTConfig:
    """The trainer's arguments for the recipe of `run` on `hardware`.

    Validation, checkpoints and the schedule are the tuner's own, so the trainer's are
    off.
    """
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
        packing_strategy="bfd_split",  # training_rows has divided longer ones
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


def lora_config(
    lora: LoraPart, model: PreTrainedModel, invocation: tuple[int, ...]
) -> LoraConfig:
    """PEFT's settings for `lora` on `model`; `invocation` is an activated LoRA's."""
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
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


def planned_steps(recipe: TrainRecipe, packed: int, processes: int) -> int:
    """Optimizer steps over `packed` rows, counted as the trainer counts them."""
    part = recipe.train
    if part.steps is not None:
        return part.steps
    loads = math.ceil(math.ceil(packed / part.rows_at_once) / processes)
    a_step = part.rows // (part.rows_at_once * processes)
    return math.ceil(part.epochs * max(1, math.ceil(loads / a_step)))
