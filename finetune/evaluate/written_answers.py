"""Answers of both models to held-out questions and to our own prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from pydantic import TypeAdapter
from transformers import PreTrainedTokenizerBase

from finetune.data.prepared_records import RecordMessage
from finetune.errors import FinetuneError
from finetune.evaluate.answer_ends import AnswerEnds, answer_ends
from finetune.evaluate.batches import Batches
from finetune.evaluate.torch_pair import Side, TorchPair
from finetune.train.chat_format import prompt_ids
from medassist.frozen_model import FrozenModel
from medassist.text.detokenizer import Detokenizer

PROMPTS = Path(__file__).with_name("prompts.yaml")


class ExamplePrompt(FrozenModel):
    """A prompt of prompts.yaml."""

    id: str
    prompt: str


@dataclass(frozen=True)
class WrittenAnswer:
    """An answer of a model.

    Attributes:
        text: without the token or the text that ends it.
        ended: by itself, not at the limit.
    """

    text: str
    ended: bool


@dataclass(frozen=True)
class Writing:
    """Settings of generation.

    Attributes:
        new_tokens: of an answer at most.
        temperature: 0 takes the likeliest token each time.
        seed: of the sampling.
    """

    new_tokens: int
    temperature: float = 0.0
    seed: int = 0


def read_prompts(file: Path = PROMPTS) -> list[ExamplePrompt]:
    """The prompts that both models answer for people to read."""
    return TypeAdapter(list[ExamplePrompt]).validate_python(
        yaml.safe_load(file.read_text("utf-8"))
    )


def prompt_of(
    pair: TorchPair, messages: Sequence[RecordMessage], new_tokens: int
) -> list[int] | None:
    """Tokens of the prompt before an answer; `None` if no room is left.

    Raises:
        CannotRender: the messages do not suit the model's format.
    """
    tokens = prompt_ids(pair.tokenizer, messages)
    return tokens if len(tokens) + new_tokens <= pair.context else None


def write_both(
    pair: TorchPair, prompts: Sequence[Sequence[int]], batches: Batches, how: Writing
) -> Iterator[tuple[int, WrittenAnswer, WrittenAnswer]]:
    """Answers of base and tuned model to each prompt.

    Yields:
        a prompt's place, what the base wrote and what the tuned model wrote.

    Raises:
        FinetuneError: memory does not suffice for one answer.
    """
    found: dict[Side, dict[int, WrittenAnswer]] = {"base": {}, "tuned": {}}
    for side, written in found.items():
        with pair.side(side):
            for place, text in batches.run(
                range(len(prompts)),
                lambda at: len(prompts[at]) + how.new_tokens,
                lambda batch: write(
                    pair.model,
                    pair.tokenizer,
                    [prompts[at] for at in batch],
                    how,
                ),
            ):
                written[place] = text
    for place, base in found["base"].items():
        yield place, base, found["tuned"][place]


@torch.inference_mode()
def write(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    how: Writing,
) -> list[WrittenAnswer]:
    """Answers of a model to each prompt, in one batch.

    Args:
        model: a causal model of transformers, or of PEFT.
        tokenizer: of the model, with a pad token.
        prompts: token ids.
        how: how long and how freely.
    """
    width = max(len(prompt) for prompt in prompts)
    pad = tokenizer.pad_token_id
    if not isinstance(pad, int):
        raise FinetuneError(f"{tokenizer.name_or_path} has no pad token.")
    # On the left, so that every answer begins where its prompt ends.
    ids = torch.full((len(prompts), width), pad)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        mask[i, width - len(prompt) :] = 1
    ends = answer_ends(model, tokenizer)
    more: dict[str, Any] = {"do_sample": False, "top_k": None, "top_p": None}
    if how.temperature:
        torch.manual_seed(how.seed)
        more = {"do_sample": True, "top_k": 0, "top_p": 1.0}
    found = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=how.new_tokens,
        temperature=how.temperature or None,
        pad_token_id=pad,
        eos_token_id=sorted(ends.tokens) or None,
        stop_strings=list(ends.texts) or None,
        tokenizer=tokenizer,
        use_cache=True,
        **more,
    )
    rows = cast("list[list[int]]", found[:, width:].tolist())
    return [_written(tokenizer, row, ends) for row in rows]


def _written(
    tokenizer: PreTrainedTokenizerBase, row: list[int], ends: AnswerEnds
) -> WrittenAnswer:
    end = next((at for at, token in enumerate(row) if token in ends.tokens), None)
    text = Detokenizer(ends.texts)
    text.push(str(tokenizer.decode(row[:end], skip_special_tokens=True)).encode())
    text.finish()
    return WrittenAnswer(text.text.strip(), end is not None or text.stopped)
