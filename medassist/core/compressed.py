"""Files that may be compressed, opened by their endings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

ENDINGS = (".gz", ".xz", ".bz2")
BROKEN = (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error)
"""What reading raises where a compressed file is cut off or broken; an `OSError`
besides, of bz2."""
Peekable = io.BufferedReader | gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File


def _open_plain(file: Path) -> io.BufferedReader:
    return file.open("rb")


_OPEN: Mapping[str, Callable[[Path], Peekable]] = {
    ".gz": gzip.GzipFile,
    ".xz": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
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
