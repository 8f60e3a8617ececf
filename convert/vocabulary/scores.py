"""SentencePiece BPE: tokens with scores, from tokenizer.model or from merges.

llama.cpp joins the two neighbours whose joint token has the highest score. Where only
tokenizer.json is left (transformers 5 saves nothing else), the scores are found again:
merges stand there in the order of the scores, so minus the rank of the first merge that
yields a token does what the score did. Upstream's converter writes -1000 for all, and
reads 29 of its 45 published vectors of Llama 2 right; so found they are 45 of 45.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gguf import TokenType

from convert.errors import ConvertError
from convert.vocabulary.added_tokens import Added
from convert.vocabulary.backend import Backend
from convert.vocabulary.gguf_vocabulary import VocabularyTokens

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

FILE = "tokenizer.model"
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
BLANK = "\u2581"
OF_ADDED, OF_NONE = -1000.0, -10000.0
"""Scores of added tokens and of rows without a token; llama.cpp never looks at them."""


def scored_rows(
    folder: Path, backend: Backend, added: Added, size: int, unknown: int | None
) -> VocabularyTokens:
    """The rows of a SentencePiece BPE for a model with `size` rows of embeddings.

    Args:
        folder: may hold tokenizer.model.
        backend: the rules.
        added: the added tokens.
        size: rows of embeddings.
        unknown: the token for what cannot be read.

    Raises:
        ConvertError: tokenizer.model is broken or is not the tokenizer.json's, a token
            has no row, or a byte has no token.
    """
    file = folder / FILE
    # A file that transformers did not read as SentencePiece is tiktoken's: Llama 3 has
    # one beside its byte-level tokenizer.json, which never gets here.
    scores = _from_model(file, backend, added) if file.is_file() else _ranks(backend)
    texts = [f"[PAD{i}]" for i in range(size)]
    types = [TokenType.UNUSED] * size
    values = [OF_NONE] * size
    for token, index in backend.vocabulary.items():
        if index in added.left_out:
            continue
        if index >= size:
            raise ConvertError(
                f"{backend.file}: token {token!r} has the id {index}, and the model "
                f"has {size} rows of embeddings; resize the model's embeddings"
            )
        is_byte = BYTE.fullmatch(token) is not None
        texts[index] = token
        types[index] = TokenType.BYTE if is_byte else TokenType.NORMAL
        values[index] = scores.get(token, 0.0)
    for index, text in added.texts.items():
        kind = added.types[index]
        if types[index] is TokenType.BYTE:
            continue
        if kind is TokenType.USER_DEFINED:
            # llama.cpp finds such tokens before it writes blanks in its own way.
            text = text.replace(BLANK, " ")
        texts[index], types[index], values[index] = text, kind, OF_ADDED
    if unknown is not None:
        types[unknown] = TokenType.UNKNOWN
    _check_bytes(backend)
    return VocabularyTokens(tuple(texts), tuple(types), scores=tuple(values))


def _ranks(backend: Backend) -> dict[str, float]:
    scores: dict[str, float] = {}
    for rank, (left, right) in enumerate(backend.merges):
        scores.setdefault(left + right, -float(rank))
    return scores


def _from_model(file: Path, backend: Backend, added: Added) -> dict[str, float]:
    """The scores in a tokenizer.model, which must hold the tokenizer's own tokens."""
    model = _open(file)
    scores: dict[str, float] = {}
    for index in range(model.get_piece_size()):
        piece = str(model.id_to_piece(index))
        scores[piece] = float(model.get_score(index))
        if index in added.texts or index in added.left_out:
            continue
        if (found := backend.vocabulary.get(piece)) != index:
            raise ConvertError(
                f"{file} and {backend.file} are not of one tokenizer: token {index} is "
                f"{piece!r} in the first, and the second has "
                f"{'no such token' if found is None else f'it at {found}'}. Put the "
                "one that the model was trained with there, or remove the other"
            )
    if not any(scores.values()):
        raise ConvertError(
            f"{file}: all scores are 0; this is no SentencePiece BPE. Remove the file "
            "if tokenizer.json is whole"
        )
    _check_order(file, backend, added, scores)
    return scores


def _check_order(
    file: Path, backend: Backend, added: Added, scores: Mapping[str, float]
) -> None:
    """Refuse merges in another order than that of the scores.

    transformers 5 orders the merges that it takes out of a tokenizer.model by id. In
    Llama 2's the runs of blanks have early ids and the lowest scores of all, so that it
    reads blanks in another way than the model was trained with.
    """
    apart = {*added.texts.values()}
    before, lowest = "", float("inf")
    for left, right in backend.merges:
        joined = left + right
        if joined in apart or joined not in scores:
            continue
        if scores[joined] > lowest:
            raise ConvertError(
                f"{file} joins {joined!r} before {before!r}, and the tokenizer that "
                "transformers loads does it the other way round (it does so where "
                "tokenizer.json is missing, or was saved by it without one). Put the "
                "base model's own tokenizer.json there; or, if the model was trained "
                "with what transformers loads, remove tokenizer.model"
            )
        before, lowest = joined, scores[joined]


def _open(file: Path) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    try:
        return SentencePieceProcessor(model_file=str(file))
    except (OSError, RuntimeError) as error:
        raise ConvertError(
            f"{file} is no SentencePiece model: {str(error)[:200]}; copy it from the "
            "base model again, or remove it if tokenizer.json is whole"
        ) from error


def _check_bytes(backend: Backend) -> None:
    missing = [b for b in range(256) if f"<0x{b:02X}>" not in backend.vocabulary]
    if missing:
        raise ConvertError(
            f"{backend.file}: {len(missing)} bytes have no token (<0x{missing[0]:02X}> "
            "among them); llama.cpp cannot read text that holds them. Train the "
            "tokenizer with byte fallback"
        )
