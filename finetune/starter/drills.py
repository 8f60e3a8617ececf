"""Drills: rows of random tokens with repeated pieces, to teach copying.

A small model reads millions of tokens before it learns that what stood in the question
can be said again in the answer. In rows where nothing but an earlier piece tells what
comes next it learns that in a few hundred steps. The idea: "pre-pretraining" on formal
tasks (Hu et al. 2025, arXiv:2502.19249), here on in-context copying (Olsson et al.
2022, arXiv:2209.11895).
"""

from __future__ import annotations

import numpy as np

from finetune.starter.chat import SPECIAL
from finetune.starter.token_rows import Ids
from finetune.train.labels import IGNORED

PIECES = 12  # different pieces in a row
SHORTEST, LONGEST = 2, 10  # tokens of a piece


def drill_rows(seed: int, step: int, rows: int, length: int, vocabulary: int) -> Ids:
    """Rows for one step, the same for the same arguments.

    Returns:
        (2, rows, length): ids, and what follows each where an earlier occurrence of
        its piece tells it, `IGNORED` elsewhere.
    """
    chance = np.random.default_rng((seed, step))
    made = [_row(chance, length, vocabulary) for _ in range(rows)]
    return np.stack([np.stack(part) for part in zip(*made, strict=True)])


def _row(chance: np.random.Generator, length: int, vocabulary: int) -> tuple[Ids, Ids]:
    pieces = [
        chance.integers(
            len(SPECIAL), vocabulary, chance.integers(SHORTEST, LONGEST + 1)
        )
        for _ in range(PIECES)
    ]
    seen: set[int] = set()
    ids: list[int] = []
    known: list[bool] = []  # whether this id can be told from what stands before it
    while len(ids) <= length:
        chosen = int(chance.integers(PIECES))
        piece = pieces[chosen]
        ids += [int(i) for i in piece]
        known += [False] + [chosen in seen] * (len(piece) - 1)
        seen.add(chosen)
    whole = np.array(ids[: length + 1], np.int64)
    targets = np.where(known[1 : length + 1], whole[1:], IGNORED)
    return whole[:-1], targets
