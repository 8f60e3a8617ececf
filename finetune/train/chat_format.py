"""Turns records into tokens, and marks those that are learned.

One function for training, validation and evaluation, so that a model is asked in the
words that it was taught in. A dialogue is rendered by the tokenizer's own chat
template; a base without one (GPT-2, Llama 2) gets the plain one, which is saved
beside the adapter. Of a dialogue every answer is in the loss, its end token included,
and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from finetune.data.prepared_records import DialogueRecord, RecordMessage, TextRecord
from finetune.errors import FinetuneError
from finetune.train.labels import IGNORED
from medassist.core.plain_template import plain_template
from medassist.core.system_turn import Turn, without_system


class CannotRender(Exception):
    """The record does not fit the model's format; the message says why."""


class RendersOtherwise(CannotRender):
    """The beginning of a dialogue is rendered otherwise once there is more of it."""


@dataclass(frozen=True)
class Encoded:
    """A record as tokens."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    """For each token, whether it is in the loss."""
    answers: tuple[int, ...] = ()
    """Index at which each answer begins."""

    @property
    def labels(self) -> list[int]:
        """The ids, and -100 where a token is not in the loss."""
        pairs = zip(self.ids, self.learned, strict=True)
        return [token if learned else IGNORED for token, learned in pairs]


def give_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Give a tokenizer without a chat template the plain one; whether it had none.

    Raises:
        FinetuneError: it has none, and no end token either.
    """
    if tokenizer.chat_template:
        return False
    if tokenizer.eos_token is None:
        raise FinetuneError(
            f"the tokenizer in {tokenizer.name_or_path} has no end token, so that an "
            "answer could not end; set eos_token in its tokenizer_config.json"
        )
    begins = begins_with_bos(tokenizer)
    tokenizer.chat_template = plain_template(begins_with_bos=begins)
    return True


def begins_with_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer puts a begin token before a text by itself."""
    ids = tokenizer("a").input_ids
    return tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]


def render(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[RecordMessage],
    *,
    answer: bool,
) -> str:
    """`messages` in the model's format; with `answer`, up to where its answer begins.

    Where the template refuses a system turn, its text stands before the first question,
    as the app puts it.

    Raises:
        CannotRender: the template refuses them (a role, an order it does not know).
    """
    turns: list[Turn] = [(message.role, message.content) for message in messages]
    try:
        return _rendered(tokenizer, turns, answer=answer)
    except Exception as error:  # what a template raises is its own affair
        refused = CannotRender(f"the chat template refuses it: {error}")
        refused.__cause__ = error
    folded = without_system(turns)
    if folded == turns:
        raise refused
    try:
        return _rendered(tokenizer, folded, answer=answer)
    except Exception:
        raise refused from None


def _rendered(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[Turn],
    *,
    answer: bool,
) -> str:
    return str(
        tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            tokenize=False,
            add_generation_prompt=answer,
        )
    )


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[RecordMessage]
) -> list[int]:
    """The tokens of a prompt: what stands before the answer to `messages`.

    Raises:
        CannotRender: as `render`, or a message holds one of the model's own marks.
    """
    _check_marks(tokenizer, messages)
    rendered = render(tokenizer, messages, answer=True)
    ids = tokenizer(rendered, add_special_tokens=False).input_ids
    begin, rest = _begin(tokenizer, ids)
    return [*begin, *ids[rest:]]


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, record: TextRecord | DialogueRecord
) -> list[Encoded]:
    """The tokens of `record` in one row; of some dialogues, in a row for each answer.

    Templates of models that think (Qwen3) leave the thought before an answer out once
    more follows: there each answer is learned as it is when it is the last.

    Raises:
        CannotRender: the record does not suit the model's format.
    """
    if isinstance(record, TextRecord):
        return [encode_text(tokenizer, record)]
    try:
        return [encode_dialogue(tokenizer, record.messages)]
    except RendersOtherwise:
        return encode_answers(tokenizer, record.messages)


def encode_text(tokenizer: PreTrainedTokenizerBase, record: TextRecord) -> Encoded:
    """The tokens of a text, learned whole but for a begin token, and its end token."""
    ids = list(tokenizer(record.text, split_special_tokens=True).input_ids)
    end = tokenizer.eos_token_id
    if end is not None and ids[-1:] != [end]:
        ids.append(end)
    first = 1 if begins_with_bos(tokenizer) else 0
    return Encoded(tuple(ids), tuple(i >= first for i in range(len(ids))))


def encode_dialogue(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[RecordMessage]
) -> Encoded:
    """The tokens of a dialogue; learned is what the model itself would write.

    An answer reaches from the end of its prompt to the end of its turn, as far as the
    template closes it in one go: its end token is learned, a line end that belongs to
    the next turn does no harm.

    Raises:
        RendersOtherwise: the template renders its beginning otherwise once there is
            more.
        CannotRender: the template refuses the dialogue, or a message holds a mark of
            the model.
    """
    return _encoded(tokenizer, messages, _answer_places(messages))


def encode_answers(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[RecordMessage]
) -> list[Encoded]:
    """A row for each answer of a dialogue, learned alone, with all that stood before.

    Raises:
        CannotRender: as `encode_dialogue`.
    """
    return [
        _encoded(tokenizer, messages[: place + 1], [place])
        for place in _answer_places(messages)
    ]


def _answer_places(messages: Sequence[RecordMessage]) -> list[int]:
    return [i for i, message in enumerate(messages) if message.role == "assistant"]


def _encoded(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[RecordMessage],
    places: Sequence[int],
) -> Encoded:
    """The tokens of all messages, of which the answers at `places` are learned."""
    _check_marks(tokenizer, messages)
    whole = render(tokenizer, messages, answer=False)
    spans: list[tuple[int, int]] = []
    for i in places:
        prompt = render(tokenizer, messages[:i], answer=True)
        turn = render(tokenizer, messages[: i + 1], answer=False)
        if not (whole.startswith(turn.rstrip()) and turn.startswith(prompt)):
            raise RendersOtherwise(
                "the chat template renders the beginning of a dialogue otherwise once "
                "there is more of it, so that its answers cannot be told apart"
            )
        spans.append((len(prompt), len(turn)))
    coded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    begin, rest = _begin(tokenizer, coded["input_ids"])
    ids = [*begin, *coded["input_ids"][rest:]]
    starts = [*[(0, 0) for _ in begin], *coded["offset_mapping"][rest:]]
    learned = [False] * len(ids)
    answers: list[int] = []
    for begin, end in spans:
        # A token that straddles the boundary begins in the prompt, but only the model
        # can write what of it is the answer's: it is learned if it is mostly that.
        inside = [
            t
            for t, (a, b) in enumerate(starts)
            if (a >= begin or b > begin) and b <= end
        ]
        inside = [t for t in inside if starts[t][1] > starts[t][0]]
        if not inside:
            raise CannotRender("an answer has no tokens")
        answers.append(inside[0])
        for t in inside:
            learned[t] = True
    return Encoded(tuple(ids), tuple(learned), tuple(answers))


def _begin(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]
) -> tuple[list[int], int]:
    """The begin token of a conversation, and how many of its `ids` it stands for.

    As the engine has it (`medassist/engine/prompt.py`): once, if the template writes it
    or the tokenizer puts it, as with Zephyr, whose template leaves it to the tokenizer.
    """
    bos, written = tokenizer.bos_token_id, 0
    while written < len(ids) and ids[written] == bos:
        written += 1
    if not written and not begins_with_bos(tokenizer):
        return [], 0
    assert isinstance(bos, int)
    return [bos], written


def _check_marks(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[RecordMessage]
) -> None:
    # Text that looks like a mark would become one, and end a turn or begin another.
    for message in messages:
        for mark in tokenizer.all_special_tokens:
            if mark in message.content:
                raise CannotRender("a message holds one of the model's own marks")
