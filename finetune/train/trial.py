"""Times one step, to estimate the duration of a training.

What a matrix product takes says little: on a CPU the many small ones of a small model,
attention and the output layer are up to ten times slower or faster than it promises.
So a few rows are read forward and back as a step does, and nothing is kept of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import torch
from datasets import Dataset

from finetune.train.estimate import wait
from finetune.train.training_rows import batches
from finetune.train.tuner import Tuner

ENOUGH = 1.0
"""Seconds of a measurement."""
FIRST = 32
"""Tokens of each row at first, so that a large model on a slow machine takes seconds
and not minutes; four times as many each time."""
VARLEN = "cu_seq_lens_q"  # rows of one line with their limits beside them: never cut


def tokens_per_second(
    tuner: Tuner, clock: Callable[[], float] = time.perf_counter
) -> float | None:
    """Tokens per second of a step, without the optimizer.

    The adapter, its gradients and the random numbers are afterwards what they were.

    Args:
        tuner: ready to train.
        clock: seconds.

    Returns:
        `None` where the memory did not suffice for it.
    """
    device = tuner.args.device
    model = tuner.adapted
    dataset = cast("Dataset", tuner.train_dataset)
    size = tuner.args.per_device_train_batch_size
    rows = next(batches(dataset, size, 0, 1))
    whole = cast("dict[str, Any]", cast("Any", tuner.data_collator)(rows))
    whole = {name: value for name, value in whole.items() if value is not None}
    longest = whole["input_ids"].shape[-1]
    length = longest if VARLEN in whole else min(FIRST, longest)
    cuda = [device] if device.type == "cuda" else []
    training = model.training
    if tuner.args.gradient_checkpointing:
        cast("Any", model).activation_checkpointing_enable(
            tuner.args.gradient_checkpointing_kwargs
        )
    tokens, seconds, warm = 0, 0.0, False
    try:
        with torch.random.fork_rng(cuda):
            model.train()
            while seconds < ENOUGH:
                inputs = {name: _cut(value, length) for name, value in whole.items()}
                began = clock()
                _step(tuner, inputs)
                wait(device)
                took = clock() - began
                if length < longest and 4 * took < ENOUGH:
                    length, warm = min(4 * length, longest), False
                elif not warm and took < ENOUGH:
                    warm = True  # the first of a length makes room in memory
                else:
                    tokens, seconds = tokens + _tokens(inputs), seconds + took
    except (torch.OutOfMemoryError, MemoryError):
        return None
    finally:
        model.zero_grad(set_to_none=True)
        model.train(training)
    return tokens / seconds


def _step(tuner: Tuner, inputs: dict[str, Any]) -> None:
    prepared = tuner._prepare_inputs(inputs)
    with tuner.accelerator.autocast():
        found = tuner.adapted(**prepared, use_cache=False, fused_lm_head=True)
        loss = -found.log_probs.sum()
    loss.backward()


def _cut(value: object, length: int) -> object:
    whole = isinstance(value, torch.Tensor) and value.dim() == 2
    return cast("torch.Tensor", value)[:, :length] if whole else value


def _tokens(inputs: dict[str, Any]) -> int:
    mask = inputs.get("attention_mask")
    return inputs["input_ids"].numel() if mask is None else int(mask.sum())
