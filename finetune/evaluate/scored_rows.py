"""Turns records into rows of tokens, marking the tokens that are scored.

They are made as training makes them: of a dialogue every answer counts with the token
that ends it, of a running text all of it. A dialogue that is longer than the model's
context loses its beginning, and an answer that begins there does not count; a longer
text is read in windows that overlap by half, so that each token is scored once and
with at least half a context before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from finetune.data.prepared_records import DialogueRecord, TextRecord
from finetune.train.chat_format import (
    Encoded,
    encode_answers,
    encode_rows,
    encode_text,
)


@dataclass(frozen=True)
class ScoredRow:
    """A row of tokens for the model.

    Attributes:
        record: its place among the records.
        tokens: token ids.
        scored: whether each token counts; the first never does.
    """

    record: int
    tokens: tuple[int, ...]
    scored: tuple[bool, ...]


@dataclass(frozen=True)
class ScoredRecord:
    """Bytes scored and tokens cut of a record.

    Attributes:
        bytes: UTF-8 bytes of the answers or of the text that the rows score.
        cut: tokens that did not fit into the context.
    """

    bytes: int
    cut: int


def rows_of(
    place: int,
    record: TextRecord | DialogueRecord,
    tokenizer: PreTrainedTokenizerBase,
    context: int,
    *,
    answer_by_answer: bool = False,
) -> tuple[list[ScoredRow], ScoredRecord]:
    """The rows of a record; none where nothing of it can be scored.

    Args:
        place: the record's, which its rows carry.
        record: text or dialogue.
        tokenizer: of the model, with a chat template.
        context: tokens of a row at most.
        answer_by_answer: a row for each answer of a dialogue, with all that stood
            before it: an activated LoRA acts on the last answer of a row alone.

    Raises:
        CannotRender: the record does not suit the model's format.
    """
    if isinstance(record, TextRecord):
        rows = list(_text(place, encode_text(tokenizer, record), context))
        return rows, ScoredRecord(len(record.text.encode()) if rows else 0, 0)
    sizes = [len(m.content.encode()) for m in record.messages if _answers(m.role)]
    encoded = encode_rows(tokenizer, record)
    if len(encoded) == 1 and not (answer_by_answer and len(sizes) > 1):
        return _dialogue(place, encoded[0], sizes, context)
    if len(encoded) == 1:
        encoded = encode_answers(tokenizer, record.messages)
    rows, size, cut = list[ScoredRow](), 0, 0
    for each, own in zip(encoded, sizes, strict=True):
        found, measured = _dialogue(place, each, [own], context)
        rows, size, cut = rows + found, size + measured.bytes, cut + measured.cut
    return rows, ScoredRecord(size, cut)


def _text(place: int, encoded: Encoded, context: int) -> Iterator[ScoredRow]:
    for start, first, end in windows(len(encoded.ids), context):
        flags = tuple(
            at >= max(1, first) and encoded.learned[at] for at in range(start, end)
        )
        if any(flags):
            yield ScoredRow(place, encoded.ids[start:end], flags)


def windows(length: int, context: int) -> Iterator[tuple[int, int, int]]:
    """Start, first that counts, and end of each window over `length` tokens."""
    done = 0
    while done < length:
        start = max(0, done - context // 2) if done else 0
        end = min(length, start + context)
        yield start, done, end
        done = end


def _dialogue(
    place: int, encoded: Encoded, sizes: list[int], context: int
) -> tuple[list[ScoredRow], ScoredRecord]:
    cut = max(0, len(encoded.ids) - context)
    # The first token of a row is guessed from nothing.
    whole = [at for at in encoded.answers if at > cut]
    first = whole[0] if whole else len(encoded.ids)
    scored = tuple(
        flag and at >= first for at, flag in enumerate(encoded.learned[cut:], start=cut)
    )
    if not any(scored):
        return [], ScoredRecord(0, cut)
    size = sum(sizes[len(sizes) - len(whole) :])
    return [ScoredRow(place, encoded.ids[cut:], scored)], ScoredRecord(size, cut)


def _answers(role: str) -> bool:
    return role == "assistant"
