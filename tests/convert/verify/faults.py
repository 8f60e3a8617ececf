"""Things that go wrong in a GGUF, done to a copy of a file that is right."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file


def changed(source: Path, target: Path, change: Callable[[gguf.GGUFReader], None]):
    """A copy of `source` in which `change` was made, in place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    reader = gguf.GGUFReader(target, "r+")
    change(reader)
    reader.data.flush()
    return target


def tensor(reader: gguf.GGUFReader, name: str) -> gguf.ReaderTensor:
    return next(t for t in reader.tensors if t.name == name)


def permuted_q(reader: gguf.GGUFReader) -> None:
    """Q of a layer as transformers has it: the halves of a head not interleaved."""
    data = tensor(reader, "blk.0.attn_q.weight").data
    heads = 4
    rows = data.reshape(heads, data.shape[0] // heads // 2, 2, -1)
    data[:] = rows.swapaxes(1, 2).reshape(data.shape).copy()


def swapped_tensors(reader: gguf.GGUFReader) -> None:
    """Gate and up of a layer, which have one shape."""
    gate = tensor(reader, "blk.1.ffn_gate.weight").data
    up = tensor(reader, "blk.1.ffn_up.weight").data
    gate[:], up[:] = up.copy(), gate.copy()


def one_wrong_norm(reader: gguf.GGUFReader) -> None:
    data = tensor(reader, "blk.1.ffn_norm.weight").data
    data[:] = 1


def not_a_number(reader: gguf.GGUFReader) -> None:
    tensor(reader, "blk.1.ffn_up.weight").data[3, 3] = np.nan


def scalar(key: str, make: Callable[[float], float]) -> Callable[..., None]:
    """A change of the number under `key`."""

    def change(reader: gguf.GGUFReader) -> None:
        field = reader.fields[key]
        part = field.parts[field.data[0]]
        part[0] = make(part[0])

    return change


wrong_alpha = scalar("adapter.lora.alpha", lambda alpha: alpha * 1.25)
wrong_epsilon = scalar(
    "llama.attention.layer_norm_rms_epsilon", lambda epsilon: epsilon * 1e4
)
lost_end = scalar("tokenizer.ggml.eos_token_id", lambda token: token + 7)


def of_another_kind(source: Path, target: Path) -> Path:
    """A byte-level vocabulary that says it is SentencePiece's, which has byte tokens.

    A letter goes from the model's name, so that all that follows stays in its place.
    """

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    name = gguf.GGUFReader(source).fields["general.name"].contents()
    start = text("general.name") + struct.pack("<I", gguf.GGUFValueType.STRING)
    content = source.read_bytes()
    for old, new in (
        (text("gpt2"), text("llama")),
        (start + text(name), start + text(name[:-1])),
    ):
        assert content.count(old) == 1
        content = content.replace(old, new)
    target.write_bytes(content)
    return target


def shifted_tokens(reader: gguf.GGUFReader) -> None:
    """Two words of the vocabulary, of one length, in each other's place."""
    field = reader.fields["tokenizer.ggml.tokens"]
    words = [field.parts[i] for i in field.data]
    first = next(i for i, w in enumerate(words) if bytes(w) == b"b")
    second = next(i for i, w in enumerate(words) if bytes(w) == b"e")
    words[first][:], words[second][:] = words[second].copy(), words[first].copy()


def row_of_no_text(reader: gguf.GGUFReader) -> None:
    """The embedding of the byte FF, which no text in UTF-8 has in it."""
    _row_of_no_text(reader, "token_embd.weight")


def row_of_output(reader: gguf.GGUFReader) -> None:
    """The output layer's row of the byte FF."""
    _row_of_no_text(reader, "output.weight")


def _row_of_no_text(reader: gguf.GGUFReader, table: str) -> None:
    field = reader.fields["tokenizer.ggml.tokens"]
    words = [bytes(field.parts[i]).decode() for i in field.data]
    data = tensor(reader, table).data
    row = words.index("\u00ff")
    data[row] = data[row - 1]


IN_A_MODEL: tuple[tuple[str, Callable[[gguf.GGUFReader], None], str], ...] = (
    ("Q of a layer not permuted", permuted_q, "logits"),
    ("gate and up of a layer swapped", swapped_tensors, "logits"),
    ("a norm of ones", one_wrong_norm, "logits"),
    ("epsilon of the norms x 10,000", wrong_epsilon, "logits"),
    ("NaN in a weight", not_a_number, "logits"),
    ("two token ids swapped", shifted_tokens, "token ids"),
    ("the end token lost", lost_end, "token ids"),
)
"""What is wrong, how it is done, and the check that has to name it."""


def with_one_blank_more(model: Path, target: Path) -> Path:
    """A copy of `model` whose template has a blank more than its GGUF then has."""
    shutil.copytree(model, target)
    template = target / "chat_template.jinja"
    text = template.read_text("utf-8")
    assert "'|>'" in text
    template.write_text(text.replace("'|>'", "'|> '"), "utf-8")
    return target


def with_a_head(model: Path, target: Path) -> Path:
    """A copy of `model`, tied in its config.json, whose files hold a head of its own.

    A GGUF of `model` is one of the copy whose head was thrown away.
    """
    shutil.copytree(model, target)
    file = target / "model.safetensors"
    weights = load_file(file)
    head = weights["model.embed_tokens.weight"][::-1] * np.float32(0.5)
    weights["lm_head.weight"] = np.ascontiguousarray(head)
    save_file(weights, file, {"format": "pt"})
    return target
