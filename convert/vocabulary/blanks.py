"""The blank that SentencePiece puts before a text, and llama.cpp's equivalent.

Three manners are about: a blank before every piece of text between special tokens
(Llama 1 and 2 as they were published), before the first piece alone (the same with
`legacy: false`, which is transformers 5's own default), and none (Gemma). llama.cpp has
the first and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.vocabulary.backend import Backend
from convert.vocabulary.scores import BLANK
from convert.vocabulary.templates import asked_template

REPLACED = {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}
PREPENDED = {"type": "Prepend", "prepend": BLANK}
SPLIT = {"type": "Split", "pattern": {"String": " "}}


@dataclass(frozen=True)
class Blanks:
    """Places at which a tokenizer adds blanks."""

    first: bool
    """Whether a blank is added before a text."""
    after_special: bool
    """Whether a blank is added to text behind a special token."""
    doubles: bool
    """Also where the text begins with one."""


def adds_blank(tokenizer: PreTrainedTokenizerFast, backend: Backend) -> bool:
    """Whether llama.cpp is to put a blank before text.

    Of the manner with one blank before the first piece alone, conversations are read
    exactly without a blank, if their first piece is a special token; other text is read
    exactly with one.

    Raises:
        ConvertError: text is changed or split in a way that llama.cpp does not know.
    """
    _check(backend)
    found = blanks_of(tokenizer)
    if found.first == found.after_special:
        return found.first
    return found.first and not _begins_special(tokenizer)


def blanks_of(tokenizer: PreTrainedTokenizerFast) -> Blanks:
    """Find where `tokenizer` adds blanks, by trying it."""
    special = next((t for t in tokenizer.all_special_tokens if t), None)
    first = _pieces(tokenizer, "a")[0].startswith(BLANK)
    after = first
    if special is not None:
        pieces = _pieces(tokenizer, f"{special}a")
        after = len(pieces) > 1 and pieces[1].startswith(BLANK)
    blanks = "".join(_pieces(tokenizer, " a")).count(BLANK)
    return Blanks(first, after, blanks > 1)


def _pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    ids = tokenizer.encode(text, add_special_tokens=False)
    return cast("list[str]", tokenizer.convert_ids_to_tokens(ids)) or [""]


def _begins_special(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether conversations begin with a special token."""
    rendered = cast(
        str,
        tokenizer.apply_chat_template(
            [{"role": "user", "content": "?"}],
            chat_template=asked_template(tokenizer),
            tokenize=False,
        ),
    )
    return rendered.startswith(tuple(t for t in tokenizer.all_special_tokens if t))


def _check(backend: Backend) -> None:
    """Every rule must be one of those that write blanks as SentencePiece does."""
    normalizer, splits = backend.normalizer, backend.pre_tokenizer
    steps = (
        normalizer["normalizers"]
        if normalizer and normalizer.get("type") == "Sequence"
        else [normalizer]
        if normalizer
        else []
    )
    for step in steps:
        if step not in (REPLACED, PREPENDED):
            raise ConvertError(
                f"{backend.file}: a normalizer, {step.get('type')}, changes text "
                "before it is read, which llama.cpp does not do in a SentencePiece "
                "vocabulary"
            )
    known = splits is None or (
        splits.get("type") == "Metaspace"
        and splits.get("replacement") == BLANK
        and splits.get("split") is False
    )
    # Gemma's, which finds nothing to split: the normalizer has replaced the blanks.
    if not known and (
        steps != [REPLACED] or not splits or {k: splits.get(k) for k in SPLIT} != SPLIT
    ):
        raise ConvertError(
            f"{backend.file}: the pre-tokenizer is {str(splits)[:200]}; llama.cpp "
            "joins pieces over a whole text in a SentencePiece vocabulary"
        )
