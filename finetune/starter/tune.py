"""The adapters: LoRA by PEFT on questions and answers, plain and activated.

A row is a conversation; only its last answer is in the loss. The plain adapter
acts from the first token, the activated one from the answer's header on, so that the
prompt before it is the base's own and need not be read twice.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.optim import AdamW
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.data.documents import QuestionAnswer
from finetune.errors import FinetuneError
from finetune.starter.chat import (
    ASSISTANT,
    BEGIN,
    END,
    PAD,
    SYSTEM,
    SYSTEM_SENTENCES,
    USER,
)
from finetune.starter.checkpoint import Progress
from finetune.starter.corpus import SYSTEM_SHARE
from finetune.starter.loop import Length, Training, Watcher, train
from finetune.starter.losses import Loss, summed_loss
from finetune.starter.model import ComputeCopy
from finetune.starter.recipe import Recipe, TunePart
from finetune.starter.tokenizer import encode_text, token_id

Kind = Literal["activated", "plain"]
LINEARS = (
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
)  # all but lm_head, which is tied to the embeddings
BUCKET = 8  # batches that are sorted by length together, to pad less
WARM_UP, DECAY = 0.05, 0.6


@dataclass(frozen=True)
class Row:
    """A conversation as ids; it ends with an answer."""

    ids: tuple[int, ...]
    answer: int
    """Where the last answer begins: the ids from here on are in the loss."""
    answer_bytes: int


@dataclass(frozen=True)
class TunedAdapter:
    """An adapted model (float32, on the CPU) and what it took."""

    model: PeftModel
    progress: Progress


def make_rows(
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[QuestionAnswer],
    context: int,
    seed: int,
) -> list[Row]:
    """Rows of `questions` in the chat format; those over `context` are left out."""
    marks = {
        mark: token_id(tokenizer, mark)
        for mark in (BEGIN, END, SYSTEM, USER, ASSISTANT)
    }
    chance = random.Random(seed)
    rows: list[Row] = []
    for asked in questions:
        ids = [marks[BEGIN]]
        if chance.random() < SYSTEM_SHARE:
            system = encode_text(tokenizer, chance.choice(SYSTEM_SENTENCES))
            ids += [marks[SYSTEM], *system, marks[END]]
        for question, answer in asked.earlier:
            ids += [marks[USER], *encode_text(tokenizer, question), marks[END]]
            ids += [marks[ASSISTANT], *encode_text(tokenizer, answer), marks[END]]
        ids += [marks[USER], *encode_text(tokenizer, asked.question), marks[END]]
        ids.append(marks[ASSISTANT])
        answer = encode_text(tokenizer, asked.answer)
        if len(ids) + len(answer) < context:
            rows.append(
                Row((*ids, *answer, marks[END]), len(ids), len(asked.answer.encode()))
            )
    return rows


def check_rows(rows: Sequence[Row], invocation: int) -> None:
    """Make sure that an activated LoRA would learn what it is meant to.

    PEFT switches it on at the last invocation of a row; in a row without one it stays
    off and the row teaches nothing, and of packed rows only the last would teach. In
    neither case is there an error.

    Raises:
        FinetuneError: the last invocation of a row does not stand right before the
            answer that is in the loss.
    """
    for number, row in enumerate(rows):
        places = [i for i, token in enumerate(row.ids) if token == invocation]
        if not places or places[-1] != row.answer - 1:
            where = f"last at {places[-1]}" if places else "nowhere"
            raise FinetuneError(
                f"row {number} has the invocation token {invocation} {where}, and its "
                f"answer begins at {row.answer}; an activated LoRA needs the token "
                "right before the answer, and rows that are not packed"
            )


def train_adapter(
    kind: Kind,
    base: LlamaForCausalLM,
    recipe: Recipe,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Row],
    checkpoints: Path,
    watcher: Watcher,
    device: torch.device,
) -> TunedAdapter:
    """Train an adapter of `kind` on `base`, from the newest checkpoint if any.

    `base` is used up: it becomes part of the adapted model.

    Raises:
        Interrupted: the user stopped it.
        FinetuneError: the rows do not suit, a checkpoint is broken, or the loss is no
            longer a number.
    """
    part = recipe.tune
    pad = token_id(tokenizer, PAD)
    invocation = token_id(tokenizer, ASSISTANT)
    if kind == "activated":
        check_rows(rows, invocation)
    torch.manual_seed(recipe.seed)
    adapted = get_peft_model(base, lora_config(kind, part, invocation))
    copy = ComputeCopy[PeftModel](adapted, device)
    copy.model.train()

    def gradients(step: int, done: float) -> tuple[float, int]:
        batch = batch_rows(rows, part.rows, recipe.seed, step)
        inputs, targets, mask = (t.to(device) for t in pad_rows(batch, pad))
        logits = copy.model(
            input_ids=inputs, attention_mask=mask, use_cache=False
        ).logits
        answers = int((targets != -100).sum())
        loss = summed_loss(logits, targets) / answers
        loss.backward()
        copy.take_gradients()
        return loss.item(), int(mask.sum())

    progress = train(
        Training(
            copy.learned,
            {"adamw": AdamW(copy.learned.values(), lr=part.rate, weight_decay=0.0)},
            gradients,
            copy.refresh,
        ),
        Length(steps=max(1, math.ceil(part.epochs * len(rows) / part.rows))),
        checkpoints,
        watcher,
        warm_up=WARM_UP,
        decay=DECAY,
    )
    return TunedAdapter(copy.whole(), progress)


def lora_config(kind: Kind, part: TunePart, invocation: int) -> LoraConfig:
    """PEFT's settings for an adapter of `kind` on all linears of a Llama."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=part.rank,
        lora_alpha=part.alpha,
        target_modules=list(LINEARS),
        alora_invocation_tokens=[invocation] if kind == "activated" else None,
    )


def batch_rows(rows: Sequence[Row], size: int, seed: int, step: int) -> list[Row]:
    """The rows of step `step`: each row once an epoch, those of like length together.

    The same for the same arguments, so that a training can go on after a break.
    """
    batches = math.ceil(len(rows) / size)
    epoch, index = divmod(step, batches)
    chance = random.Random(f"{seed}/{epoch}")
    order = list(range(len(rows)))
    chance.shuffle(order)
    width = size * BUCKET
    ordered: list[int] = []
    for start in range(0, len(order), width):
        bucket = order[start : start + width]
        ordered += sorted(bucket, key=lambda i: len(rows[i].ids))
    starts = list(range(0, len(rows), size))
    chance.shuffle(starts)
    return [rows[i] for i in ordered[starts[index] : starts[index] + size]]


def pad_rows(
    rows: Sequence[Row], pad: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs, targets and attention mask of `rows`, padded on the right.

    Returns:
        Three (B, T) tensors. `targets[b, t]` is the id after `inputs[b, t]` where
        that is part of the answer (its end token too), and -100 elsewhere.
    """
    longest = max(len(row.ids) for row in rows)
    inputs = torch.full((len(rows), longest), pad)
    targets = torch.full((len(rows), longest), -100)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for b, row in enumerate(rows):
        ids = torch.tensor(row.ids)
        inputs[b, : len(ids)] = ids
        mask[b, : len(ids)] = 1
        targets[b, row.answer - 1 : len(ids) - 1] = ids[row.answer :]
    return inputs, targets, mask


@torch.no_grad()
def answer_loss(
    model: LlamaForCausalLM | PeftModel, rows: Sequence[Row], pad: int, size: int = 16
) -> Loss:
    """The loss of `model` over the answers of `rows`, nothing else counted."""
    model.eval()
    device = next(model.parameters()).device
    nats, tokens = 0.0, 0
    in_order = sorted(rows, key=lambda row: len(row.ids))
    for start in range(0, len(in_order), size):
        batch = pad_rows(in_order[start : start + size], pad)
        inputs, targets, mask = (t.to(device) for t in batch)
        logits = model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
        nats += summed_loss(logits, targets).item()
        tokens += int((targets != -100).sum())
    return Loss(nats, tokens, sum(row.answer_bytes for row in rows))
