"""Cuts a text into chunks as llama-perplexity does; the second half of each counts.

The first half of a chunk gives the model something to go on; a token near the start
of a text is hard to guess for any model, and would hide what is to be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medassist.exams.log_probs import Ids

CONTEXT = 512
LEAST_CHUNKS = 2  # as llama-perplexity asks for


@dataclass(frozen=True)
class ScoredChunk:
    """Tokens to read; those after index `first` are scored.

    Attributes:
        tokens: what the model reads, BOS at its start where the model wants one.
        first: the first position whose guess counts; the last position has none.
    """

    tokens: tuple[int, ...]
    first: int

    @property
    def targets(self) -> Ids:
        """The tokens to be predicted at the positions from `first` on."""
        return np.array(self.tokens[self.first + 1 :], np.int64)


def chunks_of(
    tokens: Sequence[int], bos: int | None, context: int = CONTEXT
) -> list[ScoredChunk]:
    """Cut a text's tokens into chunks of `context`; what is left over is dropped.

    Args:
        tokens: of the whole text, BOS included where the model begins with one.
        bos: the token that begins each chunk, in the place of what stands there;
            `None` where the model was trained without.
        context: tokens of a chunk.
    """
    chunks: list[ScoredChunk] = []
    for start in range(0, len(tokens) - context + 1, context):
        own = list(tokens[start : start + context])
        if bos is not None:
            own[0] = bos
        chunks.append(ScoredChunk(tuple(own), context // 2))
    return chunks
