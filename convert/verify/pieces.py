"""Compares the bytes of each token in llama.cpp with those in the tokenizer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from operator import itemgetter

from transformers import PreTrainedTokenizerFast

from convert.vocabulary.scores import BLANK, BYTE
from medassist.core.end_tokens import known_ends
from medassist.engine.scorer import GgufVocabulary


def wrong_pieces(
    tokenizer: PreTrainedTokenizerFast,
    vocabulary: GgufVocabulary,
    special: Collection[str],
    *,
    has_byte_fallback: bool,
) -> Iterator[str]:
    """The tokens that write other bytes in llama.cpp than in the tokenizer, in words.

    Args:
        tokenizer: of the model.
        vocabulary: of the GGUF.
        special: texts of the tokens that write nothing.
        has_byte_fallback: whether it is a SentencePiece vocabulary.
    """
    added = {i: t.content for i, t in tokenizer.added_tokens_decoder.items()}
    letters = _letters()
    by_heart = known_ends().control_by_heart
    for text, token in sorted(tokenizer.get_vocab().items(), key=itemgetter(1)):
        if token >= vocabulary.size or text in by_heart:
            continue
        if token in added:
            blank = added[token].replace(BLANK, " ")
            plain = blank if has_byte_fallback else added[token]
            expected = b"" if text in special else plain.encode()
        elif has_byte_fallback:
            is_byte = BYTE.fullmatch(text)
            expected = (
                bytes([int(text[3:5], 16)])
                if is_byte
                else text.replace(BLANK, " ").encode()
            )
        else:
            expected = bytes(letters.get(letter, 0) for letter in text)
        if (found := vocabulary.piece(token)) != expected:
            yield (
                f"token {token} ({text!r}) writes {expected!r} in the tokenizer, "
                f"{found!r} in the GGUF"
            )


def _letters() -> dict[str, int]:
    """The letters that stand for bytes in byte-level BPE, as GPT-2 chose them.

    Printable bytes of Latin-1 stand for themselves, and the rest, in their order, are
    the letters from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {
        chr(0x100 + i): byte for i, byte in enumerate(rest)
    }
