"""What a GGUF says about its tokens, small enough to keep."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from gguf import GGUFReader, TokenType

KEYS = ("model", "pre", "bos_token_id", "eos_token_id", "unknown_token_id")
JOINED = (TokenType.NORMAL, TokenType.BYTE)
FIXTURES = Path(__file__).parent / "fixtures" / "upstream_vocabularies"
# Where ours says another thing than upstream on purpose, and why:
# - types of added tokens: an added token that is not special is `user defined`, since
#   Hugging Face finds it in any text; upstream calls it control where it looks so.
# - the type of <unk> is `unknown`; upstream calls it control where the list of added
#   tokens holds it. llama.cpp treats both alike.
# - scores are compared of pieces that are joined: llama.cpp reads no others, and of
#   added tokens upstream writes 0 or -1000, as they come.
# - unknown_token_id beside a tokenizer.model alone: upstream reads it from
#   tokenizer.json.
# - bos_token_id where the tokenizer has none: upstream leaves llama.cpp's default, an
#   ordinary token.
# - eot_token_id, add_bos_token, add_eos_token and add_space_prefix are always written,
#   as the tokenizer behaves; upstream writes them where a setting says something.


def vocabulary_facts(file: Path) -> dict[str, Any]:
    """What ours and upstream's files must say alike."""
    reader = _reader(file)

    def value(key: str) -> Any:
        field = reader.get_field(f"tokenizer.{key}")
        return None if field is None else field.contents()

    tokens: list[str] = value("ggml.tokens")
    types = [TokenType(t) for t in value("ggml.token_type")]
    scores: list[float] | None = value("ggml.scores")
    joined = [i for i, kind in enumerate(types) if kind in JOINED]
    special = (TokenType.CONTROL, TokenType.UNKNOWN)
    return {
        **{key: value(f"ggml.{key}") for key in KEYS},
        "size": len(tokens),
        "tokens": _hash(tokens),
        "joined": _hash(joined),
        "special": _hash([i for i, kind in enumerate(types) if kind in special]),
        "scores": _hash([scores[i] for i in joined]) if scores else None,
        "merges": _hash(value("ggml.merges")),
        "template": _hash(value("chat_template")),
    }


def written(file: Path) -> dict[str, Any]:
    """What upstream says where a setting made it."""
    reader = _reader(file)
    keys = ("add_bos_token", "add_eos_token", "add_space_prefix")
    found = {key: reader.get_field(f"tokenizer.ggml.{key}") for key in keys}
    return {key: field.contents() for key, field in found.items() if field is not None}


@cache
def _reader(file: Path) -> GGUFReader:
    return GGUFReader(file)


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
