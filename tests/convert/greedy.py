"""Greedy text of two implementations that differ by a rounding error."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.convert.tiny_hf import hf_greedy, hf_logits


def same_greedy(text: list[int], model: Any, prompt: list[int], error: float) -> bool:
    """Whether `model` writes `text` after `prompt`, as far as that can be told.

    Where the two best tokens are no further apart than twice the largest `error` of a
    logit, either may come first, and what follows is of another text.
    """
    expected = hf_greedy(model, prompt, len(text))
    for at, (found, wanted) in enumerate(zip(text, expected, strict=True)):
        if found != wanted:
            logits = np.sort(hf_logits(model, prompt + expected[:at])[-1])
            return bool(logits[-1] - logits[-2] <= 2 * error)
    return True
