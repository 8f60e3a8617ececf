"""What a GGUF says of itself: settings, tokens, tensors. Nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import LlamaFileType, TokenType

from convert.go_template.gguf_head import TensorFact, read_head

SPECIAL = {int(TokenType.CONTROL), int(TokenType.USER_DEFINED), int(TokenType.UNKNOWN)}
END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")


@dataclass(frozen=True)
class GgufFacts:
    """The head of a GGUF."""

    file: Path
    values: dict[str, Any]
    tensors: tuple[TensorFact, ...]

    @property
    def architecture(self) -> str:
        """Such as `llama`."""
        return str(self.values.get("general.architecture", "?"))

    @property
    def kind(self) -> str:
        """`model` or `adapter`."""
        return str(self.values.get("general.type", "model"))

    @property
    def quantization(self) -> str:
        """Such as `Q4_K_M`, from the file's type; `?` where it names none."""
        try:
            name = LlamaFileType(self.values.get("general.file_type")).name
        except ValueError:
            return "?"
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")

    @property
    def template(self) -> str | None:
        """The chat template that the file carries."""
        return self.values.get("tokenizer.chat_template") or None

    @property
    def bos(self) -> int | None:
        """The begin token."""
        return self.values.get("tokenizer.ggml.bos_token_id")

    @property
    def eos(self) -> int | None:
        """The end token."""
        return self.values.get("tokenizer.ggml.eos_token_id")

    @property
    def adds_bos(self) -> bool:
        """Whether llama.cpp puts the begin token before a text."""
        said = self.values.get("tokenizer.ggml.add_bos_token")
        # Where a file does not say so, llama.cpp goes by the kind of the vocabulary.
        old = self.values.get("tokenizer.ggml.model") == "llama"
        return old if said is None else bool(said)

    @property
    def context(self) -> int | None:
        """Tokens that the model was made for."""
        return self.values.get(f"{self.architecture}.context_length")

    @property
    def specials(self) -> tuple[str, ...]:
        """Texts of the tokens that are no part of ordinary text."""
        tokens = self.values.get("tokenizer.ggml.tokens", [])
        types = self.values.get("tokenizer.ggml.token_type", [])
        return tuple(
            token for token, kind in zip(tokens, types, strict=False) if kind in SPECIAL
        )

    @property
    def ends(self) -> tuple[str, ...]:
        """Texts of the tokens that end an answer."""
        ids = [self.values.get(f"tokenizer.ggml.{key}") for key in END_KEYS]
        return tuple(dict.fromkeys(self.text(i) for i in ids if i is not None))

    def text(self, token: int | None) -> str:
        """The text of a token; empty for none."""
        tokens = self.values.get("tokenizer.ggml.tokens", [])
        return "" if token is None or token >= len(tokens) else str(tokens[token])


def read_facts(file: Path) -> GgufFacts:
    """Read the head of `file`.

    Raises:
        ConvertError: it is missing or is no GGUF.
    """
    head = read_head(file)
    return GgufFacts(file, head.values, head.tensors)


def same_number(a: object, b: object) -> bool:
    """Whether two settings are equal, as far as float32 goes."""
    if isinstance(a, float) or isinstance(b, float):
        return (
            isinstance(a, int | float)
            and isinstance(b, int | float)
            and (np.float32(a) == np.float32(b))
        )
    return a == b
