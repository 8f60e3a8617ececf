"""Whether embedding and output layer are tied, as transformers decides at load.

config.json says it (`tie_word_embeddings`, or the default of the class), and the files
have the last word (transformers 5, `PreTrainedModel.tie_weights`): where one of the two
is stored, it is both, whichever it is; where both are stored and hold the same numbers,
they are one; where they differ, they are two, whatever config.json says. transformers 4
took the embedding for both, and so do programs that go by config.json alone.
"""

from __future__ import annotations

import numpy as np

from convert.encode import to_float32
from convert.hf_folder import Weight

HEAD = "lm_head.weight"
"""The output layer, in every class that is known here."""
OWN_HEAD = (
    "config.json says that embedding and output layer are one tensor "
    "(`tie_word_embeddings`), and the weights hold an output layer of its own "
    f"({HEAD}) that differs from the embedding"
)
"""Note about an output layer of its own, as it is told."""
_BLOCK = 1 << 22  # values that are compared at a time


def are_one(embedding: Weight | None, head: Weight | None) -> bool:
    """Whether the two tensors that config.json ties are really one.

    Args:
        embedding: as it is stored; `None` where it is not.
        head: likewise.
    """
    return embedding is None or head is None or _same_numbers(embedding, head)


def _same_numbers(one: Weight, two: Weight) -> bool:
    if one.shape != two.shape:
        return False
    first, second = one.stored().reshape(-1), two.stored().reshape(-1)
    for start in range(0, len(first), _BLOCK):
        a, b = (each[start : start + _BLOCK] for each in (first, second))
        if one.dtype == two.dtype and np.array_equal(a, b):
            continue
        if not np.array_equal(to_float32(a, one.dtype), to_float32(b, two.dtype)):
            return False
    return True
