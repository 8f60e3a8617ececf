"""Losses of base and tuned model on held-out records, in nats.

Sums are kept, not means: a mean of batch means, which many programs print as the
validation loss, weighs a short batch like a long one and is no corpus perplexity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.evaluate.batches import Batches
from finetune.evaluate.result import ItemLoss
from finetune.evaluate.scored_rows import ScoredRecord, ScoredRow, rows_of
from finetune.evaluate.torch_pair import Side, TorchPair
from finetune.train.chat_format import CannotRender

SIDES: tuple[Side, Side] = ("base", "tuned")


@dataclass(frozen=True)
class Sums:
    """Sums over the scored tokens."""

    nll: float
    tokens: int
    correct: int

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.nll + other.nll,
            self.tokens + other.tokens,
            self.correct + other.correct,
        )


def measure(
    pair: TorchPair, records: Sequence[TextRecord | DialogueRecord], batches: Batches
) -> Iterator[tuple[int, ItemLoss | str]]:
    """The losses of both models on each record.

    Args:
        pair: the models.
        records: some at a time: their tokens are held in memory.
        batches: how much is computed at a time.

    Yields:
        a record's place and its losses, or why it cannot be scored.

    Raises:
        FinetuneError: memory does not suffice for one row.
    """
    rows: list[ScoredRow] = []
    facts: dict[int, ScoredRecord] = {}
    for place, record in enumerate(records):
        try:
            own, facts[place] = rows_of(
                place,
                record,
                pair.tokenizer,
                pair.context,
                answer_by_answer=bool(pair.invocation),
            )
        except CannotRender as error:
            yield place, str(error)
            continue
        if not own:
            yield place, "nothing of it can be scored within the model's context"
        elif not all(pair.is_invoked(row.tokens) for row in own):
            yield place, "it lacks the tokens that switch the activated LoRA on"
            facts.pop(place)
        else:
            rows += own
    nothing = Sums(0.0, 0, 0)
    sums: dict[Side, dict[int, Sums]] = {"base": {}, "tuned": {}}
    for side in SIDES:
        with pair.side(side):
            done = batches.run(rows, _length, lambda batch: losses_of(pair, batch))
            for row, found in done:
                so_far = sums[side].get(row.record, nothing)
                sums[side][row.record] = so_far + found
    for place, base in sums["base"].items():
        tuned, record = sums["tuned"][place], records[place]
        yield (
            place,
            ItemLoss(
                id=record.id,
                source=record.source,
                group=record.group,
                kind=record.kind,
                tokens=base.tokens,
                bytes=facts[place].bytes,
                cut=facts[place].cut,
                base_nll=base.nll,
                tuned_nll=tuned.nll,
                base_correct=base.correct,
                tuned_correct=tuned.correct,
            ),
        )


def losses_of(pair: TorchPair, rows: Sequence[ScoredRow]) -> list[Sums]:
    """Losses of the pair in its current state, on one batch of rows."""
    width = max(len(row.tokens) for row in rows)
    wanted = torch.zeros(len(rows), width, dtype=torch.bool)
    targets: list[int] = []
    counts: list[int] = []
    for i, row in enumerate(rows):
        guessed = [at for at in range(1, len(row.tokens)) if row.scored[at]]
        # A token is guessed at the position before it.
        wanted[i, torch.tensor([at - 1 for at in guessed])] = True
        targets += [row.tokens[at] for at in guessed]
        counts.append(len(guessed))
    logits = pair.logits([row.tokens for row in rows], wanted).float()  # (N, V)
    goal = torch.tensor(targets, device=logits.device)
    nll = torch.nn.functional.cross_entropy(logits, goal, reduction="none").double()
    right = logits.argmax(-1) == goal
    return [
        Sums(float(own.sum()), len(own), int(hit.sum()))
        for own, hit in zip(nll.split(counts), right.split(counts), strict=True)
    ]


def _length(row: ScoredRow) -> int:
    return len(row.tokens)
