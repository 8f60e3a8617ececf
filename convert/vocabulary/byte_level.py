"""Byte-level BPE: tokens in letters that stand for bytes, as in GPT-2."""

from __future__ import annotations

from gguf import TokenType

from convert.errors import ConvertError
from convert.vocabulary.added_tokens import Added
from convert.vocabulary.backend import Backend
from convert.vocabulary.gguf_vocabulary import VocabularyTokens


def byte_level_rows(backend: Backend, added: Added, size: int) -> VocabularyTokens:
    """The rows of a byte-level BPE for a model with `size` rows of embeddings.

    Raises:
        ConvertError: a token has no row.
    """
    texts = [f"[PAD{i}]" for i in range(size)]
    types = [TokenType.UNUSED] * size
    for token, index in backend.vocabulary.items():
        if index in added.left_out:
            continue
        if index >= size:
            raise ConvertError(
                f"{backend.file}: token {token!r} has the id {index}, and the model "
                f"has {size} rows of embeddings; resize the model's embeddings"
            )
        texts[index], types[index] = token, TokenType.NORMAL
    for index, text in added.texts.items():
        texts[index], types[index] = text, added.types[index]
    merges = tuple(f"{left} {right}" for left, right in backend.merges)
    return VocabularyTokens(tuple(texts), tuple(types), merges=merges)
