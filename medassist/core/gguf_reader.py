"""Reads the bytes of a GGUF header, within bounds.

Every count and length is held against the size of the file first, and what is wrong
becomes a sentence. Long arrays (the vocabulary) are skipped, not read.

Format: GGUF versions 2 and 3, as ggml's documentation of the format gives it.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

from medassist.core.errors import ModelFileError
from medassist.core.gguf_bounds import implausible
from medassist.core.gguf_kinds import begins_like, wrong_file

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEY_BYTES = 1 << 16
MAX_TENSORS = 1 << 20
EMBEDDING = "token_embd.weight"
MAX_DIMENSIONS = 4
KEPT_ARRAY = 1024
DEFAULT_ALIGNMENT = 32
FIRST_BYTES = 512
"""Number of first bytes that tell what a file is that is no GGUF."""

SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
STRING = 8
ARRAY = 9

Scalar = int | float | bool | str
Metadata = Mapping[str, Scalar | tuple[Scalar, ...]]


@dataclass(frozen=True)
class TensorPlace:
    """A tensor in the header's list, of a type that is known here."""

    name: str
    type: int
    shape: tuple[int, ...]
    """Shape in the file's order: the length of a row first."""
    start: int
    """Offset of its bytes in the file."""
    bytes: int


@dataclass(frozen=True)
class Contents:
    """Metadata and tensor list of a header."""

    metadata: Metadata
    """Keys and values; arrays of text, and numbers beyond 1,024, are left out."""
    tensors: int
    parameters: int
    quantization: str
    types: Mapping[str, int]
    """Weights by the type that they really have: {"Q4_K": 1000, "F32": 10}."""
    eights: Mapping[str, int]
    """Bytes by type of the matrices that have a multiple of eight rows; of the
    embedding, which is looked up and not multiplied with, none."""
    places: tuple[TensorPlace, ...] = ()


@dataclass(frozen=True)
class _TensorType:
    name: str
    block: int
    bytes: int


@cache
def _types() -> tuple[dict[int, _TensorType], dict[int, str]]:
    table = json.loads((Path(__file__).parent / "ggml_types.json").read_text())
    tensors = {int(k): _TensorType(*v) for k, v in table["tensor_types"].items()}
    files = {int(k): str(v) for k, v in table["file_types"].items()}
    return tensors, files


class HeaderReader:
    """One pass over a header, never past the end of the file."""

    def __init__(self, file: BinaryIO, path: Path, keep: Collection[str]) -> None:
        self.file = file
        self.path = path
        self.keep = keep
        self.size = os.fstat(file.fileno()).st_size

    def contents(self) -> Contents:
        """Read the header.

        Raises:
            ModelFileError: it is no GGUF, or is not whole.
        """
        magic = self.file.read(4)
        if not magic:
            raise wrong_file(self.path, "an empty file", "copy or download it again")
        if magic != MAGIC:
            begins = magic + self.file.read(FIRST_BYTES - len(magic))
            raise begins_like(begins).error(self.path)
        version = self._unpack("<I")
        if version not in VERSIONS:
            if version & 0xFFFF == 0:
                raise wrong_file(
                    self.path,
                    "a GGUF with its bytes in the order of big-endian computers",
                    "take the file for little-endian ones (it is not called so), or "
                    "turn this one round: gguf-convert-endian FILE little",
                )
            raise wrong_file(
                self.path,
                f"GGUF of version {version}, where 2 and 3 are known",
                "convert the model again with a current converter",
            )
        tensors = self._count(MAX_TENSORS, "tensors", least_bytes=24)
        pairs = self._count(self.size, "metadata entries", least_bytes=12)
        metadata: dict[str, Scalar | tuple[Scalar, ...]] = {}
        for _ in range(pairs):
            key = self._string(MAX_KEY_BYTES)
            value = self._value(self._unpack("<I"), key)
            if value is not None:
                metadata[key] = value
        wrong = implausible(metadata, str(metadata.get("general.architecture", "")))
        if wrong:
            raise ModelFileError(
                f"{self.path}: the header is damaged ({wrong}). Copy or download the "
                "file again.",
                self.path,
            )
        return self._tensors(tensors, metadata)

    def _tensors(self, count: int, metadata: Metadata) -> Contents:
        tensor_types, file_types = _types()
        parameters = 0
        listed: list[TensorPlace] = []
        end = 0
        weights: Counter[str] = Counter()
        types: Counter[str] = Counter()
        eights: Counter[str] = Counter()
        for _ in range(count):
            name = self._string(MAX_KEY_BYTES)
            dimensions = self._unpack("<I")
            if not 1 <= dimensions <= MAX_DIMENSIONS:
                raise self._damaged(f"tensor {name!r} has {dimensions} dimensions")
            shape = [self._unpack("<Q") for _ in range(dimensions)]
            kind = self._unpack("<I")
            offset = self._unpack("<Q")
            values = math.prod(shape)
            parameters += values
            found = tensor_types.get(kind)
            if found is None:
                # A type of a later llama.cpp: it will say itself whether it reads it.
                continue
            types[found.name] += values
            size = values // found.block * found.bytes
            if dimensions > 1:
                weights[found.name] += values
                if shape[1] % 8 == 0 and name != EMBEDDING:
                    eights[found.name] += size
            listed.append(TensorPlace(name, kind, tuple(shape), offset, size))
            end = max(end, offset + size)
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
            raise self._damaged(f"an alignment of {alignment}")
        start = -(-self.file.tell() // alignment) * alignment
        if count and start + end > self.size:
            raise ModelFileError(
                f"{self.path}: the file is cut off: its header lists "
                f"{start + end:,} bytes and it has {self.size:,}. Copy or download "
                "it again.",
                self.path,
            )
        file_type = metadata.get("general.file_type")
        named = file_types.get(file_type) if isinstance(file_type, int) else None
        most = weights.most_common(1)
        quantization = named or (most[0][0] if most else "unknown")
        places = tuple(replace(tensor, start=start + tensor.start) for tensor in listed)
        return Contents(
            metadata, count, parameters, quantization, types, eights, places
        )

    def _value(self, kind: int, key: str) -> Scalar | tuple[Scalar, ...] | None:
        if kind == STRING:
            return self._string(self.size)
        if kind != ARRAY:
            return self._scalar(kind, key)
        element = self._unpack("<I")
        if element == STRING:
            texts = range(self._count(self.size, key, least_bytes=8))
            if key in self.keep:
                return tuple(self._string(MAX_KEY_BYTES) for _ in texts)
            for _ in texts:
                self._skip(self._unpack("<Q"))
            return None
        if element not in SCALARS:
            raise self._damaged(f"{key!r} is a list of an unknown type ({element})")
        width = struct.calcsize(SCALARS[element])
        count = self._count(self.size, key, least_bytes=width)
        if count > KEPT_ARRAY and key not in self.keep:
            self._skip(count * width)
            return None
        return tuple(self._scalar(element, key) for _ in range(count))

    def _scalar(self, kind: int, key: str) -> Scalar:
        if kind not in SCALARS:
            raise self._damaged(f"{key!r} has an unknown type ({kind})")
        return self._unpack(SCALARS[kind])

    def _count(self, limit: int, what: str, least_bytes: int) -> int:
        """A number of things that follow, each of at least `least_bytes`."""
        count = self._unpack("<Q")
        if count > limit or count * least_bytes > self.size - self.file.tell():
            raise self._damaged(f"it announces {count:,} of {what!r}")
        return count

    def _string(self, limit: int) -> str:
        length = self._unpack("<Q")
        if length > min(limit, self.size - self.file.tell()):
            raise self._damaged(f"it announces a text of {length:,} bytes")
        return self.file.read(length).decode(errors="replace")

    def _skip(self, length: int) -> None:
        if length > self.size - self.file.tell():
            raise self._damaged(f"it announces {length:,} bytes")
        # Reading is faster than seeking here: a seek empties the file's buffer.
        self.file.read(length)

    def _unpack(self, form: str) -> int:
        data = self.file.read(struct.calcsize(form))
        if len(data) < struct.calcsize(form):
            raise ModelFileError(
                f"{self.path}: the file is cut off inside its header, after "
                f"{self.size:,} bytes. Copy or download it again.",
                self.path,
            )
        return struct.unpack(form, data)[0]

    def _damaged(self, what: str) -> ModelFileError:
        return ModelFileError(
            f"{self.path}: the header is damaged near byte {self.file.tell():,} "
            f"({what}). Copy or download the file again.",
            self.path,
        )
