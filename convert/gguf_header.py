"""What a GGUF says of itself, read by Python before native code opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gguf import GGUFReader, LlamaFileType

from convert.errors import ConvertError

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)")
FLOATS = ("F32", "F16", "BF16", "F64")


class UnknownTensorTypeError(ConvertError):
    """A file has tensors of a type that llama.cpp knows and the gguf library not."""


@dataclass(frozen=True)
class GgufSummary:
    """The header of a model in GGUF.

    Attributes:
        files: the file, or all files of a split model.
        quantized: the types of its quantized tensors.
        quantization: its type as its header names it: F16, Q4_K_M.
        weights: the names of its tensors.
        bytes: of all files.
    """

    files: tuple[Path, ...]
    architecture: str
    quantization: str
    quantized: frozenset[str]
    weights: frozenset[str]
    bytes: int


def open_gguf(file: Path) -> GGUFReader:
    """A reader of `file`.

    Raises:
        UnknownTensorTypeError: it has tensors of a type that is too new.
        ConvertError: it is missing, or is no whole GGUF.
    """
    if file.is_dir():
        raise ConvertError(
            f"{file} is a folder, and a GGUF file is expected; give the .gguf in it, "
            "or convert the model folder with `convert gguf` first"
        )
    try:
        if file.stat().st_size == 0:
            raise ValueError("it is empty")
        return GGUFReader(file)
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
    except Exception as error:
        if "GGMLQuantizationType" in str(error):
            raise UnknownTensorTypeError(
                f"{file} holds tensors of a type that the gguf library does not know"
            ) from error
        # Of a file that is cut off or damaged the reader makes errors of many kinds.
        raise ConvertError(
            f"{file} is no whole GGUF file ({str(error)[:120]}); copy, download or "
            "convert it again"
        ) from error


def read_gguf(file: Path) -> GgufSummary:
    """The summary of the model in `file`, the first one where it is split.

    Raises:
        ConvertError: it is no whole model in GGUF.
    """
    files = shards_of(file)
    readers = [open_gguf(part) for part in files]
    if text_of(readers[0], "general.type") == "adapter":
        raise ConvertError(
            f"{file} is an adapter, and a model is expected; adapters stay as they "
            "are, or are merged into their base before"
        )
    if text_of(readers[0], "general.type") == "imatrix":
        raise ConvertError(f"{file} is an importance matrix, and a model is expected")
    tensors = [tensor for reader in readers for tensor in reader.tensors]
    if not tensors:
        raise ConvertError(f"{file} holds no weights, only a vocabulary")
    kinds = {tensor.tensor_type.name for tensor in tensors}
    architecture = text_of(readers[0], "general.architecture")
    return GgufSummary(
        files=files,
        architecture=architecture or "unknown",
        quantization=_file_type(readers[0]),
        quantized=frozenset(kind for kind in kinds if kind not in FLOATS),
        weights=frozenset(tensor.name for tensor in tensors),
        bytes=sum(part.stat().st_size for part in files),
    )


def shards_of(file: Path) -> tuple[Path, ...]:
    """The files of the model: `file` itself, or all of a split one.

    Raises:
        ConvertError: it is not the first one, or another one is not there.
    """
    found = SHARD.search(file.name)
    if found is None:
        return (file,)
    count, start = int(found[2]), file.name[: found.start()]
    names = [f"{start}-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1)]
    files = tuple(file.with_name(name) for name in names)
    if file != files[0]:
        raise ConvertError(f"{file} is a later part of a split model; give {files[0]}")
    if missing := [part for part in files if not part.is_file()]:
        raise ConvertError(f"{file} is split, and its part {missing[0]} is not there")
    return files


def text_of(reader: GGUFReader, key: str) -> str | None:
    """The text under `key`, where there is one."""
    field = reader.get_field(key)
    value = field.contents() if field is not None else None
    return value if isinstance(value, str) else None


def strings_of(reader: GGUFReader, key: str) -> tuple[str, ...]:
    """The texts of the list under `key`, where there is one."""
    field = reader.get_field(key)
    value = field.contents() if field is not None else None
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, Iterable) else ()


def number_of(reader: GGUFReader, key: str) -> int | None:
    """The whole number under `key`, where there is one."""
    field = reader.get_field(key)
    value = field.contents() if field is not None else None
    return value if isinstance(value, int) else None


def _file_type(reader: GGUFReader) -> str:
    number = number_of(reader, "general.file_type")
    try:
        name = LlamaFileType(number).name if number is not None else "unknown"
    except ValueError:
        name = "unknown"
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")
