"""The header of a GGUF file, read with bounds before llama.cpp sees the file.

llama.cpp trusts what it parses further than a file from outside deserves: a
length out of range can end the process. Here every count and length is held
against the size of the file first, and what is wrong becomes a sentence. Long
arrays (the vocabulary) are skipped, not read.

Format: GGUF versions 2 and 3, as ggml's documentation of the format gives it.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from medassist.core.errors import ModelFileError
from medassist.core.files import NotAFileError, open_file

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEY_BYTES = 1 << 16
MAX_TENSORS = 1 << 20
MAX_DIMENSIONS = 4
KEPT_ARRAY = 1024
DEFAULT_ALIGNMENT = 32
SHARD = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")

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
class GgufHeader:
    """What a GGUF file says of itself, and whether it is whole."""

    path: Path
    metadata: Metadata
    """Keys and values; arrays of text, and numbers beyond 1,024, are left out."""
    tensors: int
    parameters: int
    quantization: str

    def text(self, key: str) -> str | None:
        """The value of `key` where it is a text."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int | None:
        """The value of `key` where it is a whole number."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) else None

    @property
    def architecture(self) -> str:
        return self.text("general.architecture") or "unknown"

    @property
    def name(self) -> str:
        """The model's own name, or the file's."""
        return self.text("general.name") or self.path.stem

    @property
    def is_adapter(self) -> bool:
        return self.text("general.type") == "adapter"

    @property
    def context_length(self) -> int | None:
        """Tokens that the model was trained to hold."""
        return self.number(f"{self.architecture}.context_length")

    @property
    def chat_template(self) -> str | None:
        return self.text("tokenizer.chat_template")

    @property
    def invocation_tokens(self) -> tuple[int, ...]:
        """The token ids that switch an activated LoRA on; empty for a plain one."""
        value = self.metadata.get("adapter.alora.invocation_tokens", ())
        tokens = value if isinstance(value, tuple) else ()
        return tuple(t for t in tokens if isinstance(t, int))


def shards(path: Path) -> tuple[Path, ...]:
    """The files of the model that `path` belongs to: itself, or all of a split one."""
    found = SHARD.search(path.name)
    if found is None:
        return (path,)
    count = int(found[1])
    start = path.name[: found.start()]
    return tuple(
        path.with_name(f"{start}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    )


def read_header(path: Path, keep: Collection[str] = ()) -> GgufHeader:
    """Read the header of `path` and hold the tensors that it lists against its size.

    Args:
        path: the file.
        keep: keys of long arrays, or of arrays of text, that are wanted all the same.

    Raises:
        ModelFileError: there is no such file, it is no GGUF, or it is not whole.
    """
    try:
        with open_file(path) as file:
            return _Reader(file, path, keep).header()
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: there is no such file. Check the path; a model is a file "
            "that ends in .gguf.",
            path,
        ) from None
    except NotAFileError as error:
        advice = "give a file that ends in .gguf"
        if path.is_dir():
            advice = "give the .gguf file in it"
        raise _wrong(path, error.what, advice) from None
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be read ({error.strerror}). Check its permissions.", path
        ) from error


def require_model(path: Path) -> GgufHeader:
    """The header of a file that must hold a whole model, to be answered with.

    Raises:
        ModelFileError: it is an adapter, or holds a vocabulary and no weights.
    """
    header = read_header(path)
    if header.is_adapter:
        raise _wrong(
            path,
            "an adapter (LoRA), which has no weights of its own",
            "give it as the adapter, with its base model beside it",
        )
    if header.tensors == 0 and len(shards(path)) == 1:
        raise _wrong(
            path,
            "a vocabulary without weights",
            "such files are for tests of tokenizers; give the model's own file",
        )
    return header


def require_adapter(path: Path, base: GgufHeader) -> GgufHeader:
    """The header of a file that must hold a LoRA for the model `base`.

    Raises:
        ModelFileError: it is a model, or an adapter for another architecture.
    """
    header = read_header(path)
    if not header.is_adapter:
        raise ModelFileError(
            f"{path}: expected an adapter (LoRA) in GGUF, found a "
            f"{header.architecture} model. Give a merged model as the tuned model, "
            "not as an adapter.",
            path,
        )
    if header.architecture != base.architecture:
        raise ModelFileError(
            f"{path}: this adapter was made for a {header.architecture} model, and "
            f"{base.path.name} is a {base.architecture} model. Give the base that "
            "it was trained on.",
            path,
        )
    return header


def _wrong(path: Path, found: str, advice: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: expected a model in GGUF, found {found}. To go on: {advice}.", path
    )


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


class _Reader:
    """One pass over a header, never past the end of the file."""

    def __init__(self, file: BinaryIO, path: Path, keep: Collection[str]) -> None:
        self.file = file
        self.path = path
        self.keep = keep
        self.size = path.stat().st_size

    def header(self) -> GgufHeader:
        magic = self.file.read(4)
        if not magic:
            raise _wrong(self.path, "an empty file", "copy or download it again")
        if magic != MAGIC:
            raise _wrong(
                self.path,
                "a file of another kind (it does not begin with GGUF)",
                "choose a file that ends in .gguf",
            )
        version = self._unpack("<I")
        if version not in VERSIONS:
            raise _wrong(
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
        parameters, quantization = self._tensors(tensors, metadata)
        return GgufHeader(self.path, metadata, tensors, parameters, quantization)

    def _tensors(self, count: int, metadata: Metadata) -> tuple[int, str]:
        tensor_types, file_types = _types()
        parameters = 0
        end = 0
        weights: Counter[str] = Counter()
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
            if dimensions > 1:
                weights[found.name] += values
            end = max(end, offset + values // found.block * found.bytes)
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
        return parameters, named or (most[0][0] if most else "unknown")

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
