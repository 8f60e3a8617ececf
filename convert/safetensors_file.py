"""Safetensors without torch: reads mapped tensors, writes shards as streams.

A safetensors file is eight bytes with the length of a JSON header, the header, and
the tensors one after the other.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.errors import ConvertError
from medassist.core.files import SHARED_FILE, open_file, writing

LONGEST_HEADER = 100_000_000  # bytes, as the safetensors library has it
BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}
FLOATS = ("F32", "F16", "BF16", "F64")


@dataclass(frozen=True)
class TensorInfo:
    """A tensor's entry in a file."""

    name: str
    dtype: str
    """Type in safetensors' words: F32, BF16."""
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size."""
        return BYTES[self.dtype] * prod(self.shape)


class SafetensorsFile:
    """An open file, whose tensors are read where they are used."""

    def __init__(self, file: Path) -> None:
        """Open `file`.

        Raises:
            ConvertError: it is missing, truncated, or no safetensors file.
        """
        self.file = file
        try:
            with open_file(file) as opened:
                size = os.fstat(opened.fileno()).st_size
                # Private, so that torch takes it without a copy; nobody writes to it.
                self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ConvertError(f"{file} is empty; get it again") from error
        header, begin = self._header(size)
        self.tensors: dict[str, TensorInfo] = {}
        self._where: dict[str, tuple[int, int]] = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            info, (start, end) = self._entry(name, entry)
            if begin + end > size:
                raise ConvertError(
                    f"{file} is cut off: {name} ends at byte {begin + end:,} and the "
                    f"file at {size:,}; get it again"
                )
            self.tensors[name] = info
            self._where[name] = (begin + start, begin + end)

    def raw(self, name: str) -> memoryview:
        """The bytes of `name`, still in the mapped file."""
        start, end = self._where[name]
        return memoryview(self._map)[start:end]

    def expect(self, name: str) -> None:
        """Ask the system to prefetch `name` from disk."""
        if hasattr(mmap, "MADV_WILLNEED"):
            start, end = self._where[name]
            start -= start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start, end - start)

    def forget(self) -> None:
        """Release the mapped pages that were read."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """The tensor `name` as float32.

        Raises:
            ConvertError: it is not of floating-point numbers.
        """
        info, raw = self.tensors[name], self.raw(name)
        match info.dtype:
            case "F32":
                values = np.frombuffer(raw, "<f4")
            case "F16" | "F64":
                kind = "<f2" if info.dtype == "F16" else "<f8"
                values = np.frombuffer(raw, kind).astype(np.float32)
            case "BF16":
                wide = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
                values = wide.view(np.float32)
            case _:
                raise ConvertError(
                    f"{self.file}: {name} is of type {info.dtype}; expected one of "
                    f"{', '.join(FLOATS)}"
                )
        return values.reshape(info.shape)

    def _header(self, size: int) -> tuple[dict[str, Any], int]:
        if self._map[:4] == b"GGUF":
            raise ConvertError(
                f"{self.file} is a GGUF; expected safetensors, as transformers and "
                "PEFT save them"
            )
        length = struct.unpack("<Q", self._map[:8])[0] if size >= 8 else 0
        if not 2 <= length <= min(size - 8, LONGEST_HEADER):
            raise ConvertError(
                f"{self.file} cannot be read: it is cut off or no safetensors file; "
                "get it again"
            )
        try:
            header = json.loads(self._map[8 : 8 + length])
        except (ValueError, RecursionError) as error:
            raise ConvertError(
                f"{self.file} cannot be read: its header is no JSON; get it again"
            ) from error
        if not isinstance(header, dict):
            raise ConvertError(f"{self.file} cannot be read: its header is no object")
        return header, 8 + length

    def _entry(self, name: str, entry: Any) -> tuple[TensorInfo, tuple[int, int]]:
        try:
            shape = tuple(int(n) for n in entry["shape"])
            start, end = (int(n) for n in entry["data_offsets"])
            info = TensorInfo(name, entry["dtype"], shape)
            whole = min((*shape, start), default=0) >= 0 and end - start == info.bytes
        except (KeyError, TypeError, ValueError):
            whole = False
            info, start, end = TensorInfo(name, "", ()), 0, 0
        if not whole:
            raise ConvertError(
                f"{self.file}: the header's entry of {name} is not one that this "
                "converter can read; save the file anew"
            )
        return info, (start, end)


def write_safetensors(
    file: Path, tensors: Sequence[tuple[TensorInfo, Iterable[memoryview]]]
) -> Iterator[int]:
    """Write `file` block by block under a temporary name, then rename it.

    Args:
        file: its folder must be there.
        tensors: each with the blocks of its bytes, which are asked for in order.

    Yields:
        The bytes of each block, once written.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    # The widest first, so that each starts at a multiple of its width.
    tensors = sorted(tensors, key=lambda pair: -BYTES[pair[0].dtype])
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for info, _ in tensors:
        header[info.name] = {
            "dtype": info.dtype,
            "shape": list(info.shape),
            "data_offsets": [at, at + info.bytes],
        }
        at += info.bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with writing(file, SHARED_FILE, alone=True) as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for info, blocks in tensors:
            written = 0
            for block in blocks:
                out.write(block)
                written += block.nbytes
                yield block.nbytes
            assert written == info.bytes, f"{info.name}: {written} bytes written"
