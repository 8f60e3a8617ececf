"""Semantic similarity of two texts, by an encoder that the user names.

Cosine of the means of the last layer's states over the tokens of each text (mean
pooling, as in Sentence-BERT: Reimers and Gurevych 2019). What the figure says depends
on the encoder; it is named in the evaluation. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import torch
from torch import Tensor
from transformers import AutoModel

from finetune.errors import FinetuneError
from finetune.evaluate.batches import Batches
from finetune.evaluate.result import ModelFacts
from finetune.train.base_model import (
    context_of,
    find_base,
    load_tokenizer,
)
from medassist.core.files import sha256_of_file

TOKENS = 512  # of a text at most, where the encoder does not say less


class Encoder:
    """An encoder from a folder.

    Attributes:
        facts: which files it was read from.
    """

    def __init__(self, model: Any, tokenizer: Any, facts: ModelFacts) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self.facts = facts
        own = context_of(model.config) or TOKENS
        # Of RoBERTa's positions the first are kept back, one more than its padding id.
        kept = (model.config.pad_token_id or 0) + 1
        offset = kept if "roberta" in model.config.model_type else 0
        self._longest = min(own - offset, tokenizer.model_max_length, TOKENS)

    @classmethod
    def load(cls, name: str) -> Self:
        """Load the encoder in the folder `name`, or in the Hub's local cache.

        Raises:
            FinetuneError: there is none that can be read.
        """
        folder = find_base(name)
        tokenizer = load_tokenizer(folder)
        try:
            model: Any = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            line = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise FinetuneError(
                f"{folder} cannot be loaded as an encoder of texts: {line}"
            ) from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        facts = ModelFacts(
            name=Path(name).name,
            sha256={
                file.name: sha256_of_file(file)
                for file in sorted(Path(folder).glob("*.safetensors"))
            },
            parameters=sum(p.numel() for p in model.parameters()),
        )
        return cls(model.to(device).eval(), tokenizer, facts)

    def similarities(
        self, pairs: Sequence[tuple[str, str]], batches: Batches
    ) -> list[float]:
        """The cosine of each pair of texts, -1 to 1; 0 where one of them is empty."""
        texts = sorted({text for pair in pairs for text in pair if text.strip()})
        coded = {
            text: self._tokenizer.encode(
                text, truncation=True, max_length=self._longest
            )
            for text in texts
        }
        found = dict(
            batches.run(
                texts,
                lambda text: len(coded[text]),
                lambda batch: list(self._embed([coded[text] for text in batch])),
            )
        )
        return [
            float(found[first] @ found[second])
            if first in found and second in found
            else 0.0
            for first, second in pairs
        ]

    @torch.inference_mode()
    def _embed(self, rows: Sequence[Sequence[int]]) -> Tensor:
        width = max(len(row) for row in rows)
        ids = torch.full((len(rows), width), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        device = self._model.device
        states = self._model(
            input_ids=ids.to(device), attention_mask=mask.to(device)
        ).last_hidden_state  # (B, T, H)
        share = mask.to(device)[..., None].to(states.dtype)
        means = (states * share).sum(1) / share.sum(1)
        return cast(Tensor, torch.nn.functional.normalize(means.double(), dim=-1)).cpu()
