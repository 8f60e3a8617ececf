"""Pre-trains the base, a small Llama."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.optim import AdamW, Muon
from torch.optim.optimizer import Optimizer
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.starter.drills import IGNORED, drill_rows
from finetune.starter.loop import Length, StepWatcher, Training, train
from finetune.starter.pretrain_checkpoint import PretrainState
from finetune.starter.small_llama import ComputeCopy, compiled, new_model
from finetune.starter.starter_recipe import BasePart, Recipe
from finetune.starter.text_loss import TextLoss, summed_loss
from finetune.starter.token_rows import Ids, PassageTokens, TokenRows

WEIGHT_DECAY = 0.05


@dataclass(frozen=True)
class Trained:
    """A trained model (float32, on the CPU), with its figures."""

    model: LlamaForCausalLM
    progress: PretrainState


def train_base(
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    text: PassageTokens,
    checkpoints: Path,
    watcher: StepWatcher,
    device: torch.device,
) -> Trained:
    """Train the base of `recipe` on `text`, from the newest checkpoint if any.

    Raises:
        Interrupted: the user stopped it.
        FinetuneError: a checkpoint is broken, or the loss is no longer a number.
    """
    part = recipe.base
    copy = ComputeCopy(new_model(recipe.model, tokenizer, recipe.seed), device)
    copy.model.train()
    compute = compiled(copy.model, device) if part.compile else copy.model
    batches = RowBatches(text, recipe, len(tokenizer))

    def gradients(step: int, done: float) -> tuple[float, int]:
        batch = torch.from_numpy(batches.take(step, done)).to(device)
        inputs, targets = batch  # (B, T) each
        logits = cast("torch.Tensor", compute(input_ids=inputs, use_cache=False).logits)
        counted = int((targets != IGNORED).sum())
        loss = summed_loss(logits, targets) / counted
        loss.backward()
        copy.take_gradients()
        return loss.item(), targets.numel()

    progress = train(
        Training(
            copy.learned, _optimizers(copy.learned, part), gradients, copy.refresh
        ),
        _length(part),
        checkpoints,
        watcher,
        warm_up=part.warm_up,
        decay=part.decay,
    )
    return Trained(copy.whole(), progress)


class RowBatches:
    """Short rows, and at the end of the training rows of the whole context.

    Attention over short rows costs less, and most of what is to be learned is near;
    the last rows teach the positions that the first ones never reached. As long as the
    rows are short, a share of them are drills.
    """

    def __init__(self, text: PassageTokens, recipe: Recipe, vocabulary: int) -> None:
        part, context = recipe.base, recipe.model.context
        self._drills = min(part.rows - 1, round(part.drills * part.rows))
        self._seed, self._vocabulary = recipe.seed, vocabulary
        row = part.row or context
        self._count = part.rows
        self._long_count = max(1, part.rows * row // context)
        self._long_from = 1 - part.long_share if row < context else 1.0
        self._rows = TokenRows(text, row, recipe.seed)
        self._long_rows = TokenRows(text, context, recipe.seed + 1)

    def take(self, step: int, done: float) -> Ids:
        """The batch of step `step`, when `done` of the training (0 to 1) is done.

        Returns:
            (2, rows, length): ids, and the ids that follow them, -100 where what
            follows does not count. The number of ids is about the same throughout.
        """
        if done >= self._long_from:
            return _shifted(
                self._long_rows.take(step * self._long_count, self._long_count)
            )
        count = self._count - self._drills
        text = _shifted(self._rows.take(step * count, count))
        if not self._drills:
            return text
        drills = drill_rows(
            self._seed, step, self._drills, text.shape[2], self._vocabulary
        )
        return np.concatenate([text, drills], axis=1)


def _shifted(rows: Ids) -> Ids:
    """(rows, length + 1) ids to (2, rows, length): each, and the one that follows."""
    return np.stack([rows[:, :-1], rows[:, 1:]])


@torch.no_grad()
def text_loss(
    model: LlamaForCausalLM, text: PassageTokens, context: int, most_rows: int = 200
) -> TextLoss:
    """The loss of `model` over `text`, in rows of `context` tokens, in its order.

    A row is (context + 1,): the model reads (1, context) ids and is scored on the
    (1, context) that follow them.

    Every passage of `text` is taken once, whatever its weight; at most `most_rows`
    rows. The bytes are those of the share of `text` that was read.
    """
    model.eval()
    device = next(model.parameters()).device
    ids = text.ids.astype(np.int64)
    rows = min(most_rows, max(1, (len(ids) - 1) // context))
    nats, tokens = 0.0, 0
    for row in range(rows):
        piece = torch.from_numpy(ids[row * context : (row + 1) * context + 1])[None]
        piece = piece.to(device)
        logits = model(input_ids=piece[:, :-1], use_cache=False).logits
        nats += summed_loss(logits, piece[:, 1:]).item()
        tokens += piece.shape[1] - 1
    return TextLoss(nats, tokens, round(text.text_bytes * tokens / len(ids)))


def _length(part: BasePart) -> Length:
    return Length(part.steps, None if part.minutes is None else part.minutes * 60)


def _optimizers(
    parameters: dict[str, torch.Tensor], part: BasePart
) -> dict[str, Optimizer]:
    """Muon for the weight matrices, AdamW for embeddings and norms."""
    matrices = [
        p for n, p in parameters.items() if p.ndim == 2 and "embed_tokens" not in n
    ]
    others = [p for n, p in parameters.items() if p.ndim != 2 or "embed_tokens" in n]
    return {
        "muon": Muon(
            matrices,
            lr=part.matrix_rate,
            weight_decay=WEIGHT_DECAY,
            adjust_lr_fn="match_rms_adamw",
        ),
        "adamw": AdamW(
            others, lr=part.vector_rate, betas=(0.9, 0.95), weight_decay=0.0
        ),
    }
