"""Suggests the next smaller setting when memory runs out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe


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


@contextmanager
def shortage_told(recipe: TrainRecipe) -> Generator[None]:
    """Turn an out-of-memory error into a sentence with a smaller setting."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise FinetuneError(_sentence(recipe)) from error
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "alloc" not in str(error).lower():
            raise
        raise FinetuneError(_sentence(recipe)) from error


def _sentence(recipe: TrainRecipe) -> str:
    return (
        f"the memory does not suffice for {recipe.name}; {smaller(recipe)}, and train "
        "in another folder by --out"
    )
