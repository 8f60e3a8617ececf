"""Rules of a tokenizer, from the tokenizers library.

Not those of the file: transformers 5 builds some kinds (Llama's, Gemma's, Qwen's) anew
from the file's vocabulary alone, and what it built is what trains and what is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedTokenizerFast

from convert.errors import ConvertError


@dataclass(frozen=True)
class Backend:
    """A BPE of the tokenizers library."""

    file: Path
    """Tokenizer's file, for messages."""
    vocabulary: dict[str, int]
    """Tokens that merges yield, and their letters; added ones may be missing."""
    merges: tuple[tuple[str, str], ...]
    has_byte_fallback: bool
    ignores_merges: bool
    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast, file: Path) -> Backend:
        """The rules of `tokenizer`.

        Raises:
            ConvertError: it is no BPE, or one with a rule that llama.cpp has not.
        """
        rules = cast("dict[str, Any]", json.loads(tokenizer.backend_tokenizer.to_str()))
        model = cast("dict[str, Any]", rules["model"])
        if model.get("type") != "BPE":
            raise ConvertError(
                f"{file}: a {model.get('type')} tokenizer; this converter knows "
                "byte-level BPE and SentencePiece BPE"
            )
        if not model.get("merges"):
            raise ConvertError(f"{file}: the BPE model has no merges")
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
            if model.get(key):
                raise ConvertError(
                    f"{file}: the model's `{key}` is {model[key]!r}; llama.cpp would "
                    "join letters in another way"
                )
        return cls(
            file=file,
            vocabulary=model["vocab"],
            merges=tuple(_pair(merge) for merge in model["merges"]),
            has_byte_fallback=bool(model.get("byte_fallback")),
            ignores_merges=bool(model.get("ignore_merges")),
            normalizer=rules.get("normalizer"),
            pre_tokenizer=rules.get("pre_tokenizer"),
        )


def _pair(merge: str | list[str]) -> tuple[str, str]:
    """Both of the ways in which a tokenizer.json writes a merge."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right
