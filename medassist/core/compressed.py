"""Files that may be compressed, opened by their endings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ENDINGS = (".gz", ".xz", ".bz2", ".zst")
BROKEN = (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error)
"""What reading raises where a compressed file is cut off or broken; an `OSError`
besides, of bz2."""
Peekable = io.BufferedReader | gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File


class _Zstandard(io.RawIOBase):
    """A .zst as pyarrow decompresses it; the standard library does so from 3.14 on."""

    def __init__(self, file: Path) -> None:
        try:
            pa: Any = import_module("pyarrow")  # it has no types
        except ImportError:
            raise OSError(
                "zstandard is read by pyarrow, which comes with medassist[finetune]; "
                "install that, or decompress the file with zstd -d"
            ) from None
        self._stream: IO[bytes] = pa.CompressedInputStream(pa.OSFile(str(file)), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _open_zst(file: Path) -> io.BufferedReader:
    return io.BufferedReader(_Zstandard(file))


def _open_plain(file: Path) -> io.BufferedReader:
    return file.open("rb")


_OPEN: Mapping[str, Callable[[Path], Peekable]] = {
    ".gz": gzip.GzipFile,
    ".xz": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
    ".zst": _open_zst,
}


def open_any(file: Path) -> Peekable:
    """`file` for reading as bytes, decompressed if its name ends so.

    Raises:
        OSError: it cannot be opened.
    """
    return _OPEN.get(file.suffix.lower(), _open_plain)(file)


def plain_name(file: Path) -> str:
    """The file's name as it is without compression: `a.json` of `a.json.xz`."""
    return file.stem if file.suffix.lower() in ENDINGS else file.name
