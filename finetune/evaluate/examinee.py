"""Runs multiple-choice exams on a Hugging Face model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from finetune.evaluate.batches import Batches
from medassist.exams.multiple_choice import ScoringPass


class Reads(Protocol):
    """Protocol of a model that gives logits at chosen positions."""

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        ...

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        ...

    def logits(self, rows: Sequence[Sequence[int]], wanted: Tensor) -> Tensor:
        """Logits (N, V) at the positions that are true in `wanted` (B, T)."""
        ...


class HfExaminee:
    """A model of transformers as `medassist.exams.multiple_choice.Examinee`.

    Args:
        model: a pair (as it is switched while it answers) or a model alone.
        batches: how much is computed at a time.
    """

    def __init__(self, model: Reads, batches: Batches) -> None:
        self._model = model
        self._batches = batches

    @property
    def context(self) -> int:
        """Tokens that it reads at most."""
        return self._model.context

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, with BOS where the tokenizer sets one by itself.

        A text that begins with BOS, as a chat template's does, gets no second one.
        """
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        begin = tokenizer.bos_token or tokenizer.eos_token
        begun = [bool(begin) and text.startswith(str(begin)) for text in texts]
        found: list[list[int]] = [[] for _ in texts]
        for special in (True, False):
            own = [at for at, has in enumerate(begun) if has != special]
            if own:
                coded = tokenizer(
                    [texts[at] for at in own],
                    add_special_tokens=special,
                    return_attention_mask=False,
                )
                for at, ids in zip(own, coded["input_ids"], strict=True):
                    found[at] = ids
        return found

    def likelihoods(
        self, readings: Sequence[ScoringPass]
    ) -> Iterator[tuple[int, tuple[float, ...]]]:
        """The log-likelihoods that are asked for, the longest readings first."""
        yield from self._batches.run(
            range(len(readings)),
            lambda at: len(readings[at].tokens),
            lambda batch: self._read([readings[at] for at in batch]),
        )

    def _read(self, readings: Sequence[ScoringPass]) -> list[tuple[float, ...]]:
        width = max(len(reading.tokens) for reading in readings)
        wanted = torch.zeros(len(readings), width, dtype=torch.bool)
        for i, reading in enumerate(readings):
            wanted[i, len(reading.tokens) - reading.rows : len(reading.tokens)] = True
        logits = self._model.logits([r.tokens for r in readings], wanted)  # (N, V)
        normal = torch.logsumexp(logits.double(), dim=-1)
        rows: list[int] = []
        columns: list[int] = []
        sizes: list[int] = []
        end = 0
        for reading in readings:
            end += reading.rows
            for one in reading.asked:
                rows += range(end - len(one.tokens), end)
                columns += one.tokens
                sizes.append(len(one.tokens))
        at = torch.tensor(rows, device=logits.device)
        chosen = logits[at, torch.tensor(columns, device=logits.device)].double()
        parts = (chosen - normal[at]).cpu().split(sizes)
        sums = iter([float(part.sum()) for part in parts])
        return [tuple(next(sums) for _ in reading.asked) for reading in readings]
