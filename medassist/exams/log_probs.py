"""Per-token losses and divergences from logits, in numpy.

Rows are converted to float64 a few at a time: a vocabulary of 256,000 tokens makes
a chunk of 256 rows half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]
VALUES_AT_A_TIME = 1 << 22


@dataclass(frozen=True)
class TokenComparison:
    """Two models' losses and divergence on the same tokens; all arrays are (T,).

    Attributes:
        nll: what the model lost on each token, in nats.
        base_nll: the same of the base (reference) model.
        kld: Kullback-Leibler divergence of the model from the base, in nats.
        same_top: whether both thought the same token the likeliest.
    """

    nll: Floats
    base_nll: Floats
    kld: Floats
    same_top: Flags


def log_softmax(logits: Logits) -> Floats:
    """Log-probabilities of (T, V) logits, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def compare(logits: Logits, base: Logits, targets: Ids) -> TokenComparison:
    """Compare a model with a base (reference) model, token by token.

    Args:
        logits: the model's, (T, V).
        base: the reference's, of the same shape.
        targets: (T,), the tokens that came.

    Raises:
        ValueError: the shapes differ: the vocabularies do.
    """
    if logits.shape != base.shape:
        raise ValueError(f"logits of {logits.shape} against {base.shape}")
    count = len(targets)
    nll, base_nll, kld = np.empty(count), np.empty(count), np.empty(count)
    for rows in _blocks(logits):
        found, wanted = log_softmax(logits[rows]), log_softmax(base[rows])
        nll[rows] = -_taken(found, targets[rows])
        base_nll[rows] = -_taken(wanted, targets[rows])
        # A logit of minus infinity in both has no part in the sum.
        difference = np.subtract(
            wanted, found, out=np.zeros_like(found), where=np.isfinite(wanted)
        )
        kld[rows] = (np.exp(wanted) * difference).sum(axis=-1)
    same_top = logits.argmax(axis=-1) == base.argmax(axis=-1)
    return TokenComparison(nll, base_nll, kld, same_top)


def _taken(log_probs: Floats, targets: Ids) -> Floats:
    return np.take_along_axis(log_probs, targets[:, None], axis=-1)[:, 0]


def _blocks(logits: Logits) -> Iterator[slice]:
    rows = max(1, VALUES_AT_A_TIME // max(1, logits.shape[-1]))
    for start in range(0, len(logits), rows):
        yield slice(start, start + rows)
