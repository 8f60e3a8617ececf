"""Comparable losses: per token over a whole text, and in bits per byte.

The mean of batch means is not the loss of a text, and losses by token of two
tokenizers cannot be compared. So: the sum of negative log-likelihoods over the number
of tokens, and in bits over the number of UTF-8 bytes that they spell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from finetune.train.labels import IGNORED


@dataclass(frozen=True)
class TextLoss:
    """Loss of a model on a held-out text."""

    nats: float
    tokens: int
    text_bytes: int

    @property
    def per_token(self) -> float:
        return self.nats / self.tokens

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.text_bytes


def summed_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum of the negative log-likelihoods in nats.

    Args:
        logits: (B, T, V), the prediction of `targets[b, t]` at `[b, t]`.
        targets: (B, T), -100 where nothing is to be predicted.
    """
    return functional.cross_entropy(
        logits.flatten(0, 1).float(),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
