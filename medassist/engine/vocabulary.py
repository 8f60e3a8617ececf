"""A model's tokens: text to ids and back."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import llama_cpp.llama_cpp as llama

from medassist.core.errors import ModelFileError
from medassist.text.thought_marks import MARKS

NO_VOCABULARY = 0
UNKNOWN = 1 << 0
CONTROL = 1 << 3
USER_DEFINED = 1 << 4
NONE = -1


class Vocabulary:
    """The vocabulary of a loaded model, valid as long as the model."""

    def __init__(self, model: llama.llama_model_p, path: Path) -> None:
        vocab = llama.llama_model_get_vocab(model)
        if not vocab or llama.llama_vocab_type(vocab) == NO_VOCABULARY:
            raise ModelFileError(
                f"{path}: the model has no vocabulary, so it cannot read text. "
                "Convert it again together with its tokenizer.",
                path,
            )
        self.vocab = vocab
        self.size = llama.llama_vocab_n_tokens(vocab)
        self._piece = ctypes.create_string_buffer(256)

    def tokenize(self, text: str, *, special: bool, whole: bool = False) -> list[int]:
        """The token ids of `text`.

        Args:
            text: what to read.
            special: whether the text of a control token stands for that token.
            whole: whether BOS and EOS are put around it where the model wants them.
        """
        data = text.encode(errors="replace")
        room = len(data) + 16
        while True:
            tokens = (llama.llama_token * room)()
            count = llama.llama_tokenize(
                self.vocab, data, len(data), tokens, room, whole, special
            )
            if count >= 0:
                return tokens[:count]
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes that `token` writes; control tokens write none."""
        length = llama.llama_token_to_piece(
            self.vocab, token, self._piece, len(self._piece), 0, False
        )
        if length < 0:
            self._piece = ctypes.create_string_buffer(-length)
            return self.piece(token)
        return self._piece.raw[:length]

    def text(self, token: int) -> str:
        """Spelling of `token` in the vocabulary; empty for no token."""
        if token == NONE:
            return ""
        return (llama.llama_vocab_get_text(self.vocab, token) or b"").decode(
            errors="replace"
        )

    def ends_answer(self, token: int) -> bool:
        """Whether `token` ends a generation, by the model's metadata."""
        return bool(llama.llama_vocab_is_eog(self.vocab, token))

    def is_control(self, token: int) -> bool:
        """Whether llama.cpp takes `token` for control, whatever the file says."""
        found = llama.llama_vocab_get_attr(self.vocab, token)
        return bool(found & (CONTROL | UNKNOWN))

    @property
    def bos(self) -> int:
        """The BOS token, or -1."""
        return int(llama.llama_vocab_bos(self.vocab))  # pyright: ignore[reportArgumentType]

    @property
    def eos(self) -> int:
        """The EOS token, or -1."""
        return int(llama.llama_vocab_eos(self.vocab))  # pyright: ignore[reportArgumentType]

    @property
    def adds_bos(self) -> bool:
        """Whether prompts begin with BOS."""
        return bool(llama.llama_vocab_get_add_bos(self.vocab))

    @property
    def has_end(self) -> bool:
        """Whether a control token ends an answer.

        A file that names no end token gets a number by default, which is then a
        piece of ordinary text.
        """
        return any(self.ends_answer(t) for t in self._tokens_with(CONTROL | UNKNOWN))

    @cached_property
    def control_texts(self) -> tuple[str, ...]:
        """The texts that `tokenize(special=True)` takes for control, longest first."""
        return self._texts(CONTROL | UNKNOWN)

    @cached_property
    def added_texts(self) -> tuple[str, ...]:
        """The texts that are always taken for one token, longest first."""
        return self._texts(USER_DEFINED)

    @cached_property
    def thought_marks(self) -> dict[int, str]:
        """Tokens that are a thought mark and nothing else, with their marks.

        Control tokens write no text, so that otherwise nobody would see them. Some
        vocabularies keep tokens of one text apart by spaces without width.
        """
        marks: dict[int, str] = {}
        for token in self._tokens_with(CONTROL | UNKNOWN | USER_DEFINED):
            text = self.text(token).rstrip("\u200b")
            if text in MARKS:
                marks[token] = text
        return marks

    def _texts(self, attributes: int) -> tuple[str, ...]:
        texts = {self.text(t) for t in self._tokens_with(attributes)}
        return tuple(sorted(texts - {""}, key=len, reverse=True))

    def _tokens_with(self, attributes: int) -> Iterable[int]:
        for token in range(self.size):
            if llama.llama_vocab_get_attr(self.vocab, token) & attributes:
                yield token
