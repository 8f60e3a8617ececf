"""Finds where answers of a model end: by its settings, tokenizer and template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune.data.prepared_records import RecordMessage
from finetune.train.chat_format import CannotRender, render
from medassist.core.plain_template import plain_stops
from medassist.text.answer_end import Turn, answer_end


@dataclass(frozen=True)
class AnswerEnds:
    """Tokens and texts that end an answer; not part of it.

    Attributes:
        tokens: ids.
        texts: stop texts, where a template ends answers with text that is no token.
    """

    tokens: frozenset[int]
    texts: tuple[str, ...] = ()


def answer_ends(model: Any, tokenizer: PreTrainedTokenizerBase) -> AnswerEnds:
    """Finds where answers of `model` end: the app ends them at the same places.

    Args:
        model: a causal model of transformers, or of PEFT.
        tokenizer: of the model, with the chat template that it is asked with.
    """
    base: PreTrainedModel = getattr(model, "get_base_model", lambda: model)()
    settings = base.generation_config
    named = settings.eos_token_id if settings is not None else None
    several = named if isinstance(named, list) else [named]
    return ends_of(tokenizer, several)


def ends_of(tokenizer: PreTrainedTokenizerBase, more: Sequence[Any] = ()) -> AnswerEnds:
    """Finds where answers end by a tokenizer and its template.

    Args:
        tokenizer: with the chat template that the model is asked with.
        more: ids that the model's own settings name.
    """
    tokens: list[Any] = [*more, tokenizer.eos_token_id]
    added = cast("Any", tokenizer).added_tokens_decoder.values()
    specials = [str(token) for token in (*added, *tokenizer.all_special_tokens)]

    def write(turns: Sequence[Turn], ask: bool) -> str | None:
        messages = [RecordMessage(role=role, content=text) for role, text in turns]
        try:
            return render(tokenizer, messages, answer=ask)
        except CannotRender:
            return None

    end = answer_end(write, specials)
    texts = list(plain_stops(cast("object", tokenizer.chat_template)))
    if end.is_token:
        tokens.append(tokenizer.convert_tokens_to_ids(end.text))
    elif end.text:
        texts.insert(0, end.text)
    return AnswerEnds(
        frozenset(token for token in tokens if isinstance(token, int)),
        tuple(dict.fromkeys(texts)),
    )
