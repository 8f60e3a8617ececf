"""Tokenizes the records of a split into rows on disk.

Nothing is lost in silence: text over a row's length is divided, a dialogue over it is
left out (or cut, where the recipe says so), and each record that is not trained on is
counted by its reason.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from datasets import Dataset, Features, Value
from datasets import List as Column
from datasets.arrow_writer import ArrowWriter
from transformers import PreTrainedTokenizerBase

from finetune.data.prepared_records import DialogueRecord, RecordMessage, TextRecord
from finetune.data.split_file import count_records, read_records
from finetune.errors import FinetuneError
from finetune.recipe import TrainPart
from finetune.train.chat_format import (
    CannotRender,
    Encoded,
    encode_dialogue,
    encode_rows,
    render,
)
from finetune.train.labels import IGNORED
from finetune.train.result import RowCounts
from medassist.core.progress import Watcher, unwatched

FEATURES = Features(
    {"input_ids": Column(Value("int32")), "labels": Column(Value("int32"))}
)
_TOO_LONG = "longer than max_length"


@dataclass(frozen=True)
class RowOptions:
    """Options of tokenization."""

    max_length: int
    cut: bool
    """Cut a dialogue that is too long, rather than leave it out."""
    invocation: tuple[int, ...] = ()
    """Activated LoRA only: the tokens that switch it on."""
    at_most: int | None = None
    """Records, chosen by the seed."""
    seed: int = 0

    @classmethod
    def of(cls, part: TrainPart, invocation: tuple[int, ...], seed: int) -> RowOptions:
        """The options of a recipe's training."""
        cut = part.too_long == "cut"
        return cls(part.max_length, cut, invocation, None, seed)


@dataclass(frozen=True)
class SplitRows:
    """Rows of a split in an Arrow file, before packing, with their counts."""

    file: Path
    figures: RowCounts
    """`rows` counts them before packing."""
    has_text: bool

    def dataset(self) -> Dataset:
        """The rows, mapped into memory."""
        return Dataset.from_file(str(self.file))


def write_rows(
    file: Path,
    to: Path,
    tokenizer: PreTrainedTokenizerBase,
    options: RowOptions,
    watcher: Watcher = unwatched,
) -> SplitRows:
    """Tokenize the split in `file` into the Arrow file `to`.

    Raises:
        FinetuneError: the split is missing or broken, or nothing of it can be used.
    """
    total = count_records(file)
    chosen = _chosen(total, options)
    left_out: Counter[str] = Counter()
    used = rows = tokens = learned = 0
    has_text = False
    to.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each call: datasets remembers results by file name.
    with ArrowWriter(path=str(to), features=FEATURES) as writer:
        for number, record in enumerate(read_records(file)):
            if number % 200 == 0:
                watcher(f"tokenizing {file.stem}", number, total)
            if chosen is not None and number not in chosen:
                continue
            try:
                made = list(_rows_of(record, tokenizer, options))
            except CannotRender as reason:
                left_out[str(reason)] += 1
                continue
            if not made:
                left_out["nothing in it is learned"] += 1
                continue
            used += 1
            has_text = has_text or isinstance(record, TextRecord)
            for row in made:
                labels = row.labels
                writer.write({"input_ids": list(row.ids), "labels": labels})
                rows += 1
                tokens += len(row.ids)
                learned += sum(label != IGNORED for label in labels[1:])
        writer.finalize()
    watcher(f"tokenizing {file.stem}", total, total)
    if not rows:
        reasons = "; ".join(f"{n} {why}" for why, n in left_out.most_common(3))
        raise FinetuneError(
            f"{file} leaves nothing to train on: {total} records, of which {reasons}"
            if total
            else f"{file} is empty; look at data/manifest.json for the step that took "
            "its records"
        )
    figures = RowCounts(
        records=total,
        used=used,
        left_out=dict(left_out),
        rows=rows,
        tokens=tokens,
        answer_tokens=learned,
    )
    return SplitRows(to, figures, has_text)


def default_invocation(
    tokenizer: PreTrainedTokenizerBase, text: str | None
) -> tuple[int, ...]:
    """The tokens that switch an activated LoRA on: the answer's header.

    Args:
        tokenizer: with a chat template.
        text: another text in its place.

    Raises:
        FinetuneError: the template puts nothing before an answer.
    """
    if text is None:
        asked = [RecordMessage(role="user", content="?")]
        before = render(tokenizer, asked, answer=False)
        text = render(tokenizer, asked, answer=True).removeprefix(before)
    ids = tuple(tokenizer(text, add_special_tokens=False).input_ids)
    if not ids:
        raise FinetuneError(
            "the chat template puts no header before an answer, so nothing can switch "
            "an activated LoRA on; name a text in lora.invocation, or use method: lora"
        )
    return ids


def fits_invocation(row: Encoded, invocation: Sequence[int]) -> bool:
    """Whether an activated LoRA would learn the last answer of `row`, and it alone.

    PEFT switches it on at the last invocation of a row; where there is none it stays
    off, and where another stands inside the answer it comes on too late. Neither
    gives an error. So it must stand once before each answer, and nowhere else.
    """
    width = len(invocation)
    ids, wanted = row.ids, tuple(invocation)
    ends = [
        i + width for i in range(len(ids) - width + 1) if ids[i : i + width] == wanted
    ]
    return ends == list(row.answers)


def _rows_of(
    record: TextRecord | DialogueRecord,
    tokenizer: PreTrainedTokenizerBase,
    options: RowOptions,
) -> Iterator[Encoded]:
    if options.invocation:
        rows = [_activated(record, tokenizer, options.invocation)]
    else:
        rows = encode_rows(tokenizer, record)
    for row in rows:
        for piece in _pieces(row, record, options):
            if any(piece.learned[1:]):
                yield piece


def _activated(
    record: TextRecord | DialogueRecord,
    tokenizer: PreTrainedTokenizerBase,
    invocation: Sequence[int],
) -> Encoded:
    """A row for an activated LoRA, which learns the last answer alone."""
    if not isinstance(record, DialogueRecord):
        raise CannotRender("an activated LoRA learns answers, and this is text")
    row = encode_dialogue(tokenizer, record.messages)
    if not fits_invocation(row, invocation):
        raise CannotRender("the invocation does not stand just before each answer")
    last = row.answers[-1]
    kept = tuple(own and i >= last for i, own in enumerate(row.learned))
    return Encoded(row.ids, kept, row.answers)


def _pieces(
    row: Encoded, record: TextRecord | DialogueRecord, options: RowOptions
) -> list[Encoded]:
    longest = options.max_length
    if len(row.ids) <= longest:
        return [row]
    if isinstance(record, TextRecord):
        return [
            Encoded(row.ids[i : i + longest], row.learned[i : i + longest])
            for i in range(0, len(row.ids), longest)
        ]
    if options.cut and not options.invocation:
        return [Encoded(row.ids[:longest], row.learned[:longest])]
    raise CannotRender(_TOO_LONG)


def _chosen(total: int, options: RowOptions) -> set[int] | None:
    if options.at_most is None or options.at_most >= total:
        return None
    chance = random.Random(f"{options.seed}/rows")
    return set(chance.sample(range(total), options.at_most))


def batches(dataset: Dataset, size: int, rank: int, world: int) -> Iterator[list[Any]]:
    """The rows of `dataset` for process `rank` of `world`, `size` at a time."""
    for start in range(rank * size, len(dataset), size * world):
        yield [
            cast("Any", dataset[i])
            for i in range(start, min(start + size, len(dataset)))
        ]
