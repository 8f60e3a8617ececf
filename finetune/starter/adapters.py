"""Trains the adapters of a starter pair, plain and activated.

The plain adapter acts from the first token, the activated one from the answer's header
on, so that the prompt before it is the base's own and need not be read twice. Each is
trained in a run folder of its own, RUN/checkpoints/KIND, like any other LoRA.
"""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from transformers import PreTrainedTokenizerBase

from finetune.data.documents import QuestionAnswer, focus_key
from finetune.data.prepared_records import DialogueRecord, Licence, RecordMessage
from finetune.data.sources.source_notices import notices
from finetune.errors import FinetuneError, Interrupted
from finetune.recipe import TrainRecipe
from finetune.starter.chat import SYSTEM_SENTENCES
from finetune.starter.corpus import SYSTEM_SHARE
from finetune.starter.starter_folder import StarterFolder, save_whole
from finetune.starter.starter_recipe import Recipe
from finetune.starter.text_loss import TextLoss
from finetune.train.chat_format import CannotRender, encode_rows
from finetune.train.metrics import read_metrics
from finetune.train.preparation import TrainingWishes, prepare
from finetune.train.result import TrainingResult, read_training
from finetune.train.stop_signal import asked_to_stop
from finetune.train.train import train
from finetune.train.training_folder import TrainingRun
from medassist.core.card import AdapterKind, StageFigures
from medassist.core.files import SHARED_FILE, write_whole
from medassist.core.terminal import say_on

OUR_LICENCE = "Apache 2.0"
MOST_AT_ONCE = 8  # rows that are padded to the longest among them


@dataclass(frozen=True)
class Conversations:
    """Training data of an adapter, and held-out data for its loss."""

    train: tuple[DialogueRecord, ...]
    held_out: tuple[DialogueRecord, ...]

    @property
    def answer_bytes(self) -> int:
        """UTF-8 bytes of the answers held out."""
        return sum(len(r.messages[-1].content.encode()) for r in self.held_out)


def training_recipe(kind: AdapterKind, recipe: Recipe) -> TrainRecipe:
    """The adapters' settings in `recipe`, as a training's recipe."""
    part = recipe.tune
    return TrainRecipe.model_validate(
        {
            "name": f"starter-{kind}",
            "seed": recipe.seed,
            "base": "base",
            "train": {
                "epochs": part.epochs,
                "rate": part.rate,
                "rows": part.rows,
                "rows_at_once": math.gcd(part.rows, MOST_AT_ONCE),
                "max_length": recipe.model.context,
                "packing": False,
                "warm_up": 0.05,
                "schedule": "plateau",
                "precision": "bf16",
                "checkpointing": False,
                "validations": 0,
                "patience": None,
                "checkpoint_minutes": 2,
            },
            "lora": {
                "method": "alora" if kind == "activated" else "lora",
                "r": part.rank,
                "alpha": part.alpha,
                "dropout": 0.0,
            },
        }
    )


def dialogues(questions: Sequence[QuestionAnswer], seed: int) -> list[DialogueRecord]:
    """The questions as records; a part of them begins with a system turn."""
    chance = random.Random(seed)
    return [_dialogue(n, asked, chance) for n, asked in enumerate(questions)]


def fitting(
    records: Iterable[DialogueRecord], tokenizer: PreTrainedTokenizerBase, context: int
) -> list[DialogueRecord]:
    """The `records` that fit into rows of `context` tokens."""

    def fits(record: DialogueRecord) -> bool:
        try:
            rows = encode_rows(tokenizer, record)
            return all(len(row.ids) <= context for row in rows)
        except CannotRender:
            return False

    return [record for record in records if fits(record)]


def train_adapter(
    kind: AdapterKind,
    folder: StarterFolder,
    recipe: Recipe,
    conversations: Conversations,
    device: str,
    console: Console,
) -> TrainingResult:
    """Train the adapter of `kind`, from its newest checkpoint if there is one.

    Raises:
        Interrupted: the user stopped it.
        FinetuneError: a checkpoint is broken, or the loss is no longer a number.
    """
    run = TrainingRun(
        folder.checkpoints(kind), training_recipe(kind, recipe), folder.base
    )
    done = run.finished()
    if done is not None:
        return done
    run.data.mkdir(parents=True, exist_ok=True)
    for name, records in (
        ("train", conversations.train),
        ("validation", conversations.held_out),
    ):
        lines = "".join(f"{record.model_dump_json()}\n" for record in records)
        write_whole(run.data / f"{name}.jsonl", lines, SHARED_FILE)
    run.recipe.write(run.recipe_file)
    say_on(console, f"the {kind} adapter")
    with asked_to_stop() as asked:
        prepared = prepare(run, TrainingWishes(resume=True, device=device), asked=asked)
        try:
            train(prepared, console)
        except Interrupted as stopped:
            raise Interrupted(
                f"stopped; what the {kind} adapter learned is in {stopped.checkpoint}. "
                "The same command with --resume goes on from there",
                stopped.checkpoint,
            ) from None
    return read_training(run.root)


def keep_adapter(
    kind: AdapterKind, folder: StarterFolder, result: TrainingResult, answer_bytes: int
) -> StageFigures:
    """Put a trained adapter and its metrics into the run; what a card says of it.

    Args:
        kind: of the adapter.
        folder: of the pair.
        result: of the adapter's training.
        answer_bytes: of the answers that its loss was taken from.
    """
    trained = folder.checkpoints(kind)
    loss, held_out = result.best.validation_loss, result.validation
    if loss is None or held_out is None:
        raise FinetuneError(
            f"{trained} holds a training without held-out questions; give more text, "
            "or a larger text.held_out in the recipe"
        )
    with folder.metrics.open("a", encoding="utf-8") as lines:
        for step in read_metrics(trained):
            if step.loss is not None:
                kept = step.model_dump(include={"step", "tokens", "seconds", "loss"})
                lines.write(json.dumps({"stage": kind, **kept}) + "\n")
    save_whole(
        folder.adapter(kind), lambda to: shutil.copytree(trained / "adapter", to)
    )
    found = TextLoss(
        loss * held_out.answer_tokens, held_out.answer_tokens, answer_bytes
    )
    return StageFigures(
        steps=result.steps,
        tokens=result.tokens,
        minutes=round(result.step_seconds / 60, 1),
        hardware=result.hardware,
        parameters=result.method.trainable,
        training_loss=round(result.training_loss, 4),
        validation_loss=round(found.per_token, 4),
        bits_per_byte=round(found.bits_per_byte, 4),
    )


def _dialogue(
    number: int, asked: QuestionAnswer, chance: random.Random
) -> DialogueRecord:
    messages: list[RecordMessage] = []
    if chance.random() < SYSTEM_SHARE:
        system = chance.choice(SYSTEM_SENTENCES)
        messages.append(RecordMessage(role="system", content=system))
    for question, answer in (*asked.earlier, (asked.question, asked.answer)):
        messages.append(RecordMessage(role="user", content=question))
        messages.append(RecordMessage(role="assistant", content=answer))
    notice = notices().get(asked.source)
    return DialogueRecord(
        id=str(number),
        source=asked.source,
        group=focus_key(asked.focus),
        licence=Licence(
            name=notice.licence if notice else OUR_LICENCE,
            evidence="the set's own" if notice else "written for this program",
        ),
        messages=tuple(messages),
    )
