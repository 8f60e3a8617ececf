"""Protocol of a model that gives logits, and comparing two of them on a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from medassist.exams.chunks import ScoredChunk
from medassist.exams.log_probs import Logits, TokenComparison, compare
from medassist.exams.perplexity import TextDivergence, text_loss


class Scorer(Protocol):
    """A model that reads tokens and gives logits."""

    def logits(self, tokens: Sequence[int], first: int = 0) -> Logits:
        """The logits after each of `tokens` from position `first` on: (T, V)."""
        ...


class Told(Protocol):
    """Callback that is told how far the scoring is."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` has done that many of `total` chunks."""
        ...


def _nobody(what: str, done: int, total: int) -> None:
    pass


def compare_on_text(
    model: Scorer, base: Scorer, chunks: Sequence[ScoredChunk], told: Told = _nobody
) -> TextDivergence:
    """Compare `model` with `base`, of which it is a quantization, on a text.

    The logits of one chunk at a time are held, of both models.
    """
    parts: list[TokenComparison] = []
    for number, chunk in enumerate(chunks):
        told("Divergence", number, len(chunks))
        # The last token is read by nobody: what would come after it is not known.
        read = chunk.tokens[:-1]
        wanted = base.logits(read, chunk.first)
        found = model.logits(read, chunk.first)
        parts.append(compare(found, wanted, chunk.targets))
    told("Divergence", len(chunks), len(chunks))
    return text_loss(parts, len(chunks[0].tokens))
