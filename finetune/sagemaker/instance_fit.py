"""Whether a recipe fits an instance, and how long it takes there.

Neither the base's weights nor a GPU is at hand: the form of the base is read from its
configuration, or from the table for a base that is not on this computer, and put
through the same formulas as before a training here (`finetune/train/estimate.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from finetune.errors import FinetuneError
from finetune.recipe import TrainRecipe
from finetune.sagemaker import places
from finetune.train.base_model import find_base, load_config
from finetune.train.estimate import (
    GIB,
    Precision,
    Shape,
    TrainingLoad,
    expected_speed,
    memory,
    shape_of,
)

# Of prepared records as JSON lines: their keys count as well, so that it is rather
# too many tokens than too few.
BYTES_PER_TOKEN = 4
SPARE = 0.85
"""Share of memory that a training may have on a computer without a GPU."""


@dataclass(frozen=True)
class TrainedShape:
    """Shape of what is trained: the base and the adapter on it."""

    shape: Shape
    trainable: int
    source: str
    """File from which the base's shape was read."""

    @property
    def bytes_in_bf16(self) -> int:
        """Size of the base's weights in bf16, as they are uploaded."""
        return 2 * self.shape.parameters


@dataclass(frozen=True)
class Fit:
    """A training on an instance."""

    memory: int
    """Bytes, of each GPU or of the computer."""
    available: int
    tokens: int | None
    """Tokens over all epochs; None: not known."""
    tokens_per_second: float | None
    """None: the speed of the processor, or of the GPU, is not known."""

    @property
    def fits(self) -> bool:
        """Whether the memory is likely to suffice."""
        return self.memory <= self.available

    @property
    def seconds(self) -> float | None:
        """Duration of the training itself, in seconds."""
        if self.tokens is None or not self.tokens_per_second:
            return None
        return self.tokens / self.tokens_per_second


def form_of(recipe: TrainRecipe) -> TrainedShape | None:
    """The form of the recipe's base; None where it is neither here nor in the table.

    Nothing is downloaded.
    """
    try:
        config: Any = load_config(find_base(recipe.base, recipe.revision))
        source = "the base on this computer"
    except FinetuneError:
        known = places.table().bases.get(recipe.base)
        if known is None:
            return None
        config, source = _config(known), "the table of bases"
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return TrainedShape(shape_of(model), _trainable(model, recipe), source)


def fit(
    recipe: TrainRecipe,
    form: TrainedShape,
    instance: places.Instance,
    *,
    instances: int = 1,
    tokens_per_epoch: int | None = None,
) -> Fit:
    """Checks whether a training of `recipe` fits `instances` of a type of instance."""
    tokens = _tokens(recipe, tokens_per_epoch)
    return fit_tokens(recipe, form, instance, tokens, instances=instances)


def fit_tokens(
    recipe: TrainRecipe,
    form: TrainedShape,
    instance: places.Instance,
    tokens: int | None,
    *,
    instances: int = 1,
) -> Fit:
    """Like `fit`, for so many tokens over all epochs."""
    load = TrainingLoad(
        trainable=form.trainable,
        tokens_at_once=recipe.train.rows_at_once * recipe.train.max_length,
        precision=_precision(recipe, instance),
        nf4=recipe.lora.method == "qlora",
        checkpointing=recipe.train.checkpointing,
    )
    available = instance.memory * GIB * SPARE
    if instance.gpus:
        available = instance.gpu_memory * 2.0**20
    speed = None
    if instance.gpus and instance.matrix is not None:
        one = expected_speed(form.shape, load, instance.matrix * 1e12)
        speed = one * instance.gpus * instances
    return Fit(
        memory=memory(form.shape, load).total,
        available=int(available),
        tokens=tokens,
        tokens_per_second=speed,
    )


def tokens_of_bytes(size: int) -> int:
    """About how many tokens prepared records of `size` bytes are."""
    return math.ceil(size / BYTES_PER_TOKEN)


def _tokens(recipe: TrainRecipe, per_epoch: int | None) -> int | None:
    if recipe.train.steps is not None:
        return recipe.train.steps * recipe.train.rows * recipe.train.max_length
    return None if per_epoch is None else math.ceil(per_epoch * recipe.train.epochs)


def _precision(recipe: TrainRecipe, instance: places.Instance) -> Precision:
    if not instance.gpus:
        return "bf16" if recipe.train.precision == "bf16" else "fp32"
    return "bf16" if recipe.train.precision == "auto" else recipe.train.precision


def _config(form: places.BaseForm) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=form.hidden,
        intermediate_size=form.feed_forward,
        num_hidden_layers=form.layers,
        num_attention_heads=form.heads,
        num_key_value_heads=form.key_value_heads,
        vocab_size=form.vocabulary,
        tie_word_embeddings=form.tied,
    )


def _trainable(model: torch.nn.Module, recipe: TrainRecipe) -> int:
    wanted = recipe.lora.targets
    count = 0
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if type(module).__name__ not in ("Linear", "Conv1D") or weight is None:
            continue
        last = name.rpartition(".")[2]
        if last == "lm_head" or (wanted != "all-linear" and last not in wanted):
            continue
        count += recipe.lora.r * sum(weight.shape)
        if recipe.lora.method == "dora":
            count += max(weight.shape)
    return count
