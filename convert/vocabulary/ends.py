"""Begin and end tokens of texts and answers.

llama.cpp ends an answer at the tokens under three keys (eos, eot, eom) and at tokens
whose text it knows by heart (`llama-vocab.cpp`, where `special_eog_ids` is filled). Any
other token that ends an answer in Hugging Face's `generate` must be under a key, or the
answer runs on. A template that ends answers with mere text has no token for a key: who
runs the model reads that text off the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.hf_folder import JsonFile
from convert.vocabulary.gguf_vocabulary import Ends
from convert.vocabulary.templates import chat_templates
from medassist.core.end_tokens import known_ends
from medassist.text.answer_end import AnswerEnd, Turn, answer_end


def read_ends(folder: Path, tokenizer: PreTrainedTokenizerFast, size: int) -> Ends:
    """The tokens that begin and end texts and answers.

    Args:
        folder: holds config.json and perhaps generation_config.json.
        tokenizer: of the folder.
        size: how many rows of embeddings the model has.

    Raises:
        ConvertError: there is no end token, or more than a GGUF can name.
    """
    eos, ends = _eos(folder, tokenizer), end_tokens(folder, tokenizer)
    has_template = chat_templates(tokenizer).default is not None
    of_template = template_end(tokenizer) if has_template else AnswerEnd()
    after_turn = _token(tokenizer, of_template)
    texts = dict(zip(ends, _texts(tokenizer, ends), strict=True))
    named = {eos, after_turn}
    by_heart = known_ends().ends_by_heart
    further = [t for t in ends if t not in named and texts[t] not in by_heart]
    # Where no token ends a turn, its key is free for another end.
    keys = [after_turn] if after_turn is not None else further[:1] or [None]
    further = [t for t in further if t not in keys]
    if len(further) > 1:
        raise ConvertError(
            f"{folder}: answers end at {', '.join(repr(texts[t]) for t in ends)}; a "
            f"GGUF can name three of them. Take {texts[further[-1]]!r} out of "
            "eos_token_id in generation_config.json, or rename it to <|end|>"
        )
    bos = cast("int | None", tokenizer.bos_token_id)
    adds_bos, adds_eos = _added(tokenizer, bos, eos)
    return Ends(
        bos=_bos(folder, tokenizer, eos, size),
        eos=eos,
        turn_end=keys[0],
        message_end=further[0] if further else None,
        template=of_template if has_template else None,
        pad=_inside(cast("int | None", tokenizer.pad_token_id), size),
        unknown=_inside(cast("int | None", tokenizer.unk_token_id), size),
        adds_bos=adds_bos,
        adds_eos=adds_eos,
    )


def end_tokens(folder: Path, tokenizer: PreTrainedTokenizerFast) -> tuple[int, ...]:
    """Every token that ends an answer: tokenizer, template and generation settings.

    Raises:
        ConvertError: there is none.
    """
    found = [_eos(folder, tokenizer)]
    if chat_templates(tokenizer).default:
        after_turn = _token(tokenizer, template_end(tokenizer))
        found += [] if after_turn is None else [after_turn]
    for name in ("generation_config.json", "config.json"):
        found += _configured(folder / name, "eos_token_id")
    return tuple(dict.fromkeys(t for t in found if t < len(tokenizer)))


def template_end(tokenizer: PreTrainedTokenizerFast) -> AnswerEnd:
    """Finds the text by which the chat template of `tokenizer` ends an answer.

    Raises:
        ConvertError: it cannot render a question and its answer.
    """

    def render(turns: Sequence[Turn], ask: bool) -> str | None:
        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            return cast(
                str,
                tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=ask
                ),
            )
        except (TemplateError, ValueError, TypeError) as error:
            if ask:  # a template for one question and its answer refuses a second one
                return None
            raise ConvertError(
                f"the chat template cannot render a question and its answer: {error}"
            ) from error

    added = (token.content for token in tokenizer.added_tokens_decoder.values())
    return answer_end(render, [*added, *map(str, tokenizer.all_special_tokens)])


def _token(tokenizer: PreTrainedTokenizerFast, end: AnswerEnd) -> int | None:
    """The token that ends an answer, where one does."""
    if not end.is_token:
        return None
    return cast(int, tokenizer.convert_tokens_to_ids(end.text))


def _eos(folder: Path, tokenizer: PreTrainedTokenizerFast) -> int:
    eos = cast("int | None", tokenizer.eos_token_id)
    configured = (
        [eos]
        if eos is not None
        else _configured(folder / "generation_config.json", "eos_token_id")
        + _configured(folder / "config.json", "eos_token_id")
    )
    if not configured:
        raise ConvertError(
            f"{folder}: the tokenizer names no end token, so that no answer would end; "
            "set eos_token in tokenizer_config.json to the token that it was trained on"
        )
    return configured[0]


def _bos(
    folder: Path, tokenizer: PreTrainedTokenizerFast, eos: int, size: int
) -> int | None:
    """The tokenizer's, else the model's, else the end: never llama.cpp's own default.

    Where the key is missing, llama.cpp takes token 11 (or 1) for it, which is a piece
    of ordinary text in most vocabularies.
    """
    bos = cast("int | None", tokenizer.bos_token_id)
    if bos is not None:
        return bos
    configured = _configured(folder / "config.json", "bos_token_id")
    return next((t for t in configured if t < min(size, len(tokenizer))), eos)


def _configured(file: Path, key: str) -> list[int]:
    """One id or several, as both stand in configurations."""
    if not file.is_file():
        return []
    value = cast("Any", JsonFile.read(file).of_text.values.get(key))
    ids = value if isinstance(value, list) else [value]
    return [t for t in cast("list[Any]", ids) if isinstance(t, int) and t >= 0]


def _texts(tokenizer: PreTrainedTokenizerFast, ids: tuple[int, ...]) -> list[str]:
    return [str(token) for token in tokenizer.convert_ids_to_tokens(list(ids))]


def _inside(token: int | None, size: int) -> int | None:
    return token if token is not None and token < size else None


def _added(
    tokenizer: PreTrainedTokenizerFast, bos: int | None, eos: int
) -> tuple[bool, bool]:
    """Whether the tokenizer puts BOS before and EOS after a text, as it really does."""
    bare = tokenizer.encode("a", add_special_tokens=False)
    whole = tokenizer.encode("a")
    adds_bos = bos is not None and whole[:1] == [bos] and whole != bare
    adds_eos = whole[-1:] == [eos] and whole != bare
    expected = [bos] * adds_bos + bare + [eos] * adds_eos
    if whole != expected:
        raise ConvertError(
            f"the tokenizer turns 'a' into {whole}; llama.cpp can put BOS ({bos}) "
            f"before and EOS ({eos}) after {bare}, nothing else"
        )
    return adds_bos, adds_eos
