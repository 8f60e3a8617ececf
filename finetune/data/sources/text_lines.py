"""Lines of text files as people have them: compressed or not, in mixed encodings.

Lines end as they do on Unix and Windows, or, where the beginning of a file has no other
line end, by a carriage return alone: as on old Macs, and in what Excel calls CSV for
the Macintosh. Each line is decoded by itself. One that is not UTF-8 is taken for
Windows-1252, as old exports are, which also repairs files in which both were pasted
together. What is neither, or has zero bytes, is no such text, and is refused with the
line's number.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune.data.sources.data_source import LONGEST_RECORD
from finetune.errors import FinetuneError
from medassist.core.compressed import BROKEN, Peekable, open_any

LONGEST_LINE = 4 * LONGEST_RECORD  # bytes; UTF-8 has at most four a character
BEGINNING = 2**20  # bytes that are looked at for a line end
_MARK = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TextLine:
    """A line without its end."""

    number: int
    text: str
    problem: str = ""
    """Why it could not be read; its text is empty then."""


@contextmanager
def opened(file: Path) -> Generator[Peekable]:
    """`file` for reading, decompressed by its ending (.gz, .xz, .bz2, .zst).

    Raises:
        FinetuneError: it cannot be read, or what it is compressed with is broken.
    """
    try:
        with open_any(file) as stream:
            yield stream
    except BROKEN as error:
        raise FinetuneError(
            f"{file} cannot be decompressed ({error}); it is cut off or broken: copy "
            "it anew"
        ) from error
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be read: {error.strerror or error}"
        ) from error


def lines(file: Path, encoding: str = "") -> Iterator[TextLine]:
    """The lines of `file`, one at a time.

    Args:
        file: text, compressed by its ending.
        encoding: of all lines; "" finds out line by line (UTF-8, Windows-1252), and
            UTF-16 by its mark at the beginning.

    Raises:
        FinetuneError: it cannot be read, or the encoding has no such name.
    """
    if encoding:
        try:
            "".encode(encoding)
        except LookupError as error:
            raise FinetuneError(f"there is no encoding {encoding}") from error
    end = _line_end(file)
    with opened(file) as stream:
        start = stream.peek(len(_MARK))[: len(_MARK)]
        if start[:2] in _UTF16 or encoding.lower().startswith(("utf-16", "utf-32")):
            yield from _wide(stream, encoding or "utf-16", file)
            return
        if start == _MARK:
            stream.read(len(_MARK))
        readline = stream.readline if end == b"\n" else _by_returns(stream)
        number = 0
        while raw := readline(LONGEST_LINE):
            number += 1
            if len(raw) == LONGEST_LINE and not raw.endswith(end):
                while (raw := readline(LONGEST_LINE)) and raw[-1:] != end:
                    pass
                yield TextLine(number, "", f"is longer than {LONGEST_LINE:,} bytes")
            else:
                yield _decoded(number, raw.rstrip(b"\r\n"), encoding)


def _line_end(file: Path) -> bytes:
    """Line end of a file: a carriage return if `file`'s beginning has no other."""
    with opened(file) as stream:
        # Of a pair that the beginning cuts in two, only the first would be seen.
        beginning = stream.read(BEGINNING).rstrip(b"\r")
    return b"\r" if b"\r" in beginning and b"\n" not in beginning else b"\n"


def _by_returns(stream: Peekable) -> Callable[[int], bytes]:
    """Reader of lines that a carriage return ends."""
    # In Latin-1 each byte is a letter, so what was read can be taken back to bytes.
    text = io.TextIOWrapper(stream, "latin-1", newline="\r")
    return lambda most: text.readline(most).encode("latin-1")


def _decoded(number: int, raw: bytes, encoding: str) -> TextLine:
    if b"\0" in raw:
        return TextLine(number, "", "has zero bytes: it is not text, or UTF-16")
    for name in (encoding,) if encoding else ("utf-8", "cp1252"):
        try:
            return TextLine(number, raw.decode(name))
        except UnicodeDecodeError:
            pass
    if encoding:
        return TextLine(number, "", f"is not in {encoding}")
    return TextLine(
        number,
        "",
        "is neither in UTF-8 nor in Windows-1252; name the file's encoding by the "
        "option `encoding`",
    )


def _wide(stream: Peekable, encoding: str, file: Path) -> Iterator[TextLine]:
    # codecs' own reader would also end lines at form feeds and U+2028.
    reader = io.TextIOWrapper(stream, encoding, newline=None)
    number = 0
    try:
        while text := reader.readline():
            number += 1
            yield TextLine(number, text.rstrip("\n"))
    except UnicodeError as error:
        raise FinetuneError(
            f"{file}, line {number + 1} is not in {encoding} ({error})"
        ) from error
