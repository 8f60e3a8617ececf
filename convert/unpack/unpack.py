"""Unpacks a GGUF: float32 weights, config.json and tokenizer.

Each tensor is computed as `gguf` dequantizes it, one at a time, and goes to the place
that the converter would take it from. Nothing is rounded: float32 holds what every
type of quantization stands for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf.quants import dequantize

from convert.architectures import Architecture, architecture_of
from convert.architectures.target import TensorTarget
from convert.errors import ConvertError, in_our_words
from convert.gguf.contents import GgufFacts, read_model
from convert.gguf.head import TensorFact, read_head, tensor_rows
from convert.hf_folder import CONFIG, WEIGHTS, Array, JsonFile
from convert.library_noise import keep_back_noise
from convert.safetensors_file import TensorInfo, write_safetensors
from convert.unfinished import folder_beside
from convert.unpack.config_json import config_of
from convert.unpack.tokenizer import tokenizer_of
from convert.unpack.tokenizer_check import check_reading
from medassist.core.end_tokens import END_KEYS
from medassist.core.files import SHARED_FILE, give_name, sha256_of_file, write_whole
from medassist.core.progress import Watcher, unwatched
from medassist.core.unpacked import (
    Unpacked,
    is_gguf,
    read_unpacked,
    write_unpacked,
)
from medassist.core.words import size
from medassist.engine.scorer import GgufVocabulary

EDITION = 1
GENERATION = "generation_config.json"


def unpack(gguf: Path, folder: Path, *, watcher: Watcher = unwatched) -> Unpacked:
    """Write to `folder` the Hugging Face model that `gguf` could have come from.

    A folder that was made of this very file is left as it is. Either way its
    tokenizer is held against llama.cpp's reading of the GGUF.

    Args:
        gguf: a model, quantized or not; the first file of a split one.
        folder: to make; what an earlier call made of another file is replaced.
        watcher: is told how far it is.

    Raises:
        ConvertError: the GGUF cannot be turned back exactly, text is read otherwise,
            `folder` holds something else, or it cannot be written.
    """
    with in_our_words(), GgufVocabulary(gguf) as vocabulary:
        facts = read_model(gguf)
        sha256 = {part.name: sha256_of_file(part) for part in facts.files}
        wanted = Unpacked(str(gguf.resolve()), sha256, EDITION)
        found = read_unpacked(folder)
        if found is None and folder.exists():
            raise ConvertError(
                f"{folder} is there already and was not made of a GGUF; move it away, "
                "or name another folder"
            )
        if found is None or (found.sha256, found.edition) != (sha256, EDITION):
            _make(facts, vocabulary, folder, wanted, watcher)
        elif found != wanted:
            write_unpacked(folder, wanted)  # the same file, moved
        check_reading(folder, gguf, vocabulary, watcher)
    return wanted


@contextmanager
def as_folder(
    model: Path, near: Path, *, weights: bool = True, watcher: Watcher = unwatched
) -> Generator[Path]:
    """The folder of `model`; for a GGUF, a temporary one.

    Args:
        model: the folder of a Hugging Face model, or a GGUF.
        near: a file to be; a folder for the time of the call lies beside it.
        weights: whether they are needed; without them a GGUF takes no room.
        watcher: is told how far it is.

    Raises:
        ConvertError: as `unpack`.
    """
    if not is_gguf(model):
        yield model
        return
    try:
        with folder_beside(near) as half:
            folder = half / model.stem
            if weights:
                unpack(model, folder, watcher=watcher)
            else:
                with in_our_words(), GgufVocabulary(model) as vocabulary:
                    _write_beside(read_model(model), vocabulary, folder)
            yield folder
    except OSError as error:
        raise ConvertError(
            f"{near} cannot be written: {error.strerror or error}; choose another "
            "folder"
        ) from error


def _make(
    facts: GgufFacts,
    vocabulary: GgufVocabulary,
    folder: Path,
    unpacked: Unpacked,
    watcher: Watcher,
) -> None:
    config = config_of(facts)
    architecture = architecture_of(JsonFile(folder / CONFIG, config))
    stored = _stored(facts, architecture)
    try:
        with folder_beside(folder) as half:
            new = half / folder.name
            _write_beside(facts, vocabulary, new)
            _write_weights(new / WEIGHTS, stored, watcher)
            write_unpacked(new, unpacked)
            if folder.exists():
                shutil.rmtree(folder)
            give_name(new, folder)
    except OSError as error:
        raise ConvertError(
            f"{folder} cannot be written: {error.strerror or error}; it needs "
            f"{size(sum(s.bytes for s in stored))} of room"
        ) from error


@dataclass(frozen=True)
class _Stored:
    """A weight that is still in its GGUF."""

    name: str
    target: TensorTarget
    file: Path
    tensor: TensorFact

    @property
    def bytes(self) -> int:
        """Bytes as float32."""
        return 4 * int(np.prod(self.target.shape))

    def floats(self) -> Array:
        """Its values as the Hugging Face model has them."""
        rows = tensor_rows(self.file, self.tensor)
        values = dequantize(rows, self.tensor.kind).reshape(self.tensor.shape[::-1])
        return np.ascontiguousarray(self.target.taken_back(values), np.float32)


def _stored(facts: GgufFacts, architecture: Architecture) -> list[_Stored]:
    """Every weight of the architecture with its tensor, and no tensor without one."""
    there = {
        tensor.name: (file, tensor)
        for file in facts.files
        for tensor in read_head(file).tensors
    }
    found: list[_Stored] = []
    for name, (target, *_) in architecture.targets.items():
        file, tensor = there.pop(target.name, (facts.file, None))
        if tensor is None:
            raise ConvertError(
                f"{facts.file} lacks the tensor {target.name}; copy or download it "
                "again"
            )
        if tensor.shape[::-1] != target.gguf_shape:
            raise ConvertError(
                f"{file}: {target.name} has the shape {tensor.shape[::-1]}, and the "
                f"settings make it {target.gguf_shape}; the file is damaged"
            )
        found.append(_Stored(name, target, file, tensor))
    if there:
        raise ConvertError(
            f"{facts.file} holds {min(there)}, which this program cannot turn back "
            "into a weight of a Hugging Face model. Take the folder of the model that "
            "it was made of"
        )
    return found


def _write_beside(facts: GgufFacts, vocabulary: GgufVocabulary, new: Path) -> None:
    """All of a model's folder but its weights."""
    keep_back_noise()
    tokenizer = tokenizer_of(facts, vocabulary)
    ends = _ends(facts, vocabulary)
    new.mkdir()
    tokenizer.save_pretrained(new)
    _write_json(new / CONFIG, config_of(facts) | ends)
    _write_json(new / GENERATION, ends)


def _write_weights(file: Path, stored: list[_Stored], watcher: Watcher) -> None:
    total, done = sum(weight.bytes for weight in stored), 0

    def blocks(weight: _Stored) -> Iterator[memoryview]:
        values = weight.floats()
        if not np.isfinite(values).all():
            raise ConvertError(
                f"{weight.file}: {weight.tensor.name} holds numbers that are not "
                "finite; copy or download it again"
            )
        yield memoryview(values.data).cast("B")

    tensors = [(TensorInfo(w.name, "F32", w.target.shape), blocks(w)) for w in stored]
    for written in write_safetensors(file, tensors):
        done += written
        watcher("Unpacking the base", done, total)


def _ends(facts: GgufFacts, vocabulary: GgufVocabulary) -> dict[str, Any]:
    """The tokens that begin and end texts and answers, as both configurations say."""
    ids = [facts.values.get(f"tokenizer.ggml.{key}") for key in END_KEYS]
    ends = [i for i in dict.fromkeys(ids) if isinstance(i, int) and i >= 0]
    found: dict[str, Any] = {
        "eos_token_id": ends or [vocabulary.eos],
        "pad_token_id": facts.values.get("tokenizer.ggml.padding_token_id"),
    }
    if vocabulary.bos >= 0:
        found["bos_token_id"] = vocabulary.bos
    return found


def _write_json(file: Path, values: dict[str, Any]) -> None:
    write_whole(file, json.dumps(values, indent=2) + "\n", SHARED_FILE)
