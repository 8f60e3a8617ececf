"""Tokens added to a vocabulary: special ones, and plain texts.

Hugging Face finds a special token in rendered prompts alone, and any other added token
in whatever text there is; llama.cpp's types `control` and `user defined` mean the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gguf import TokenType
from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError
from convert.vocabulary.backend import Backend

PHI_3_KEEP = frozenset(("<unk>", "<s>", "<|endoftext|>"))
"""Tokens of Phi-3 behind which llama.cpp leaves blanks where they are."""


@dataclass(frozen=True)
class Added:
    """The added tokens that have a row in the model."""

    types: Mapping[int, TokenType]
    texts: Mapping[int, str]
    left_out: frozenset[int]
    """Ids beyond the model's rows."""
    swallow_blanks: bool


def read_added(
    tokenizer: PreTrainedTokenizerFast,
    backend: Backend,
    size: int,
    needed: Collection[int | None],
    template: str,
) -> Added:
    """The added tokens of `tokenizer`.

    A token beyond the model's rows, which the model can neither read nor write, is left
    out (Gemma 3's tokenizer has one for images, its text models no row for it).

    Args:
        tokenizer: to read.
        backend: its rules.
        size: rows of embeddings.
        needed: ids that must have a row.
        template: the chat template; a token that it writes must have a row.

    Raises:
        ConvertError: a needed token has no row, or the tokens take blanks with them in
            a way that llama.cpp cannot.
    """
    types: dict[int, TokenType] = {}
    texts: dict[int, str] = {}
    strips: dict[str, tuple[bool, bool]] = {}
    left_out: set[int] = set()
    for index, token in tokenizer.added_tokens_decoder.items():
        if index >= size:
            if index in needed or (token.content and token.content in template):
                raise ConvertError(
                    f"{backend.file}: token {token.content!r} has the id {index}, and "
                    f"the model has {size} rows of embeddings; resize the model's "
                    "embeddings"
                )
            left_out.add(index)
            continue
        texts[index] = token.content
        types[index] = TokenType.CONTROL if token.special else TokenType.USER_DEFINED
        strips[token.content] = (bool(token.lstrip), bool(token.rstrip))
    return Added(types, texts, frozenset(left_out), _swallow_blanks(backend, strips))


def _swallow_blanks(backend: Backend, strips: Mapping[str, tuple[bool, bool]]) -> bool:
    """Whether the tokens swallow the blanks behind them in exactly Phi-3's way."""
    if not any(left or right for left, right in strips.values()):
        return False
    as_phi_3 = {text: (False, text not in PHI_3_KEEP) for text in strips}
    differ = [text for text in strips if strips[text] != as_phi_3[text]]
    # llama.cpp looks these up by their texts, and fails to load where one is missing.
    if differ or not {"</s>", *PHI_3_KEEP} <= set(strips):
        odd = next(t for t, (left, right) in strips.items() if left or right)
        raise ConvertError(
            f"{backend.file}: the token {odd!r} swallows blanks beside it (lstrip, "
            "rstrip), which llama.cpp does for Phi-3's set of tokens alone; set both "
            "to false in tokenizer.json and tokenizer_config.json, and train with that"
        )
    return True
