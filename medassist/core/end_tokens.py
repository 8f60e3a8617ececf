"""llama.cpp's default begin and end tokens, for model files that name none.

One table for all who have to know it: the converter, which names other ends under a
key, and the check of a model file, which tells where its answers end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

END_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")
"""By which of `tokenizer.ggml` a model's file names what ends an answer."""
TABLE = Path(__file__).with_name("end_tokens.json")


@dataclass(frozen=True)
class KnownEnds:
    """llama.cpp's built-in begin and end tokens, by their texts."""

    ends_by_heart: frozenset[str]
    """It ends an answer at them whatever the keys of the file say."""
    control_by_heart: frozenset[str]
    """It takes them for control whatever the types of the file say."""
    pre_tokenizers_that_add_bos: frozenset[str]
    models_that_add_bos: frozenset[str]
    default_bos: dict[str, int]
    """By the kind of vocabulary, such as `gpt2`."""
    default_eos: dict[str, int]


@cache
def known_ends() -> KnownEnds:
    """The table of `end_tokens.json`."""
    table = json.loads(TABLE.read_text("utf-8"))
    ends = frozenset[str](table["ends_by_heart"])
    return KnownEnds(
        ends_by_heart=ends,
        control_by_heart=ends | frozenset[str](table["further_control_by_heart"]),
        pre_tokenizers_that_add_bos=frozenset(table["pre_tokenizers_that_add_bos"]),
        models_that_add_bos=frozenset(table["models_that_add_bos"]),
        default_bos=table["default_bos"],
        default_eos=table["default_eos"],
    )
