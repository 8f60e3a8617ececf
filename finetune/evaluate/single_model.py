"""A model without an adapter that gives logits at chosen positions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.train.base_model import context_of, find_base, load_base, load_tokenizer

CONTEXT_UNKNOWN = 2048


class AloneModel:
    """A loaded model with its tokenizer.

    Args:
        model: of transformers.
        tokenizer: of the model.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = context_of(model.config) or CONTEXT_UNKNOWN

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load the model from a folder, in float32.

        Raises:
            FinetuneError: it cannot be loaded.
        """
        found = find_base(str(folder))
        return cls(load_base(found).eval(), load_tokenizer(found))

    @torch.inference_mode()
    def logits(self, rows: Sequence[Sequence[int]], wanted: Tensor) -> Tensor:
        """The logits (N, V) at the positions that are true in `wanted` (B, T)."""
        return chosen_logits(self.model, self.model, rows, wanted)


def chosen_logits(
    model: Any,
    base: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    wanted: Tensor,
    **more: Any,
) -> Tensor:
    """Logits at the wanted positions only.

    The output layer, the widest of a small model, sees those positions alone.

    Args:
        model: that is called: `base`, or what PEFT made of it.
        base: the model of transformers that has the output layer.
        rows: token ids, each row no longer than the context.
        wanted: (B, T), true where logits are needed; T is the longest row's.
        more: arguments of the call.

    Returns:
        (N, V), row by row.
    """
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    device = base.device
    chosen = wanted.to(device)

    def pick(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0][chosen.to(inputs[0].device)][None], *inputs[1:])

    head = cast(nn.Module, base.get_output_embeddings())
    hook = head.register_forward_pre_hook(pick)
    try:
        found = model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            use_cache=False,
            **more,
        )
    finally:
        hook.remove()
    return found.logits[0]
