"""Documents out of archives, in memory and one at a time; nothing is unpacked.

Names that lead out of the archive and links are refused all the same: whoever made
such an archive did not make a data set.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.data.sources.data_source import Broken
from finetune.data.sources.packed import (
    is_archive,
    named,
    open_zip,
    refusal,
    tar_members,
)
from finetune.data.sources.text_lines import opened

LARGEST_DOCUMENT = 64 * 2**20  # bytes; the largest articles have about ten million


@dataclass(frozen=True)
class Member:
    """A document as it stands in a file or an archive."""

    name: str
    content: bytes


def documents(file: Path, suffixes: Sequence[str]) -> Iterator[Member | Broken]:
    """The documents in `file`: a tar's, a zip's, or the file itself.

    Args:
        file: an archive, or a document that may be compressed.
        suffixes: of the members that are wanted, in lower case.

    Raises:
        FinetuneError: the archive is broken or cut off; what lay before was given.
    """
    if not is_archive(file):
        with opened(file) as stream:
            content = stream.read(LARGEST_DOCUMENT + 1)
        if len(content) > LARGEST_DOCUMENT:
            yield Broken(file.name, str(file), _too_large(None))
        else:
            yield Member(file.name, content)
    elif file.name.lower().endswith(".zip"):
        yield from _zipped(file, tuple(suffixes))
    else:
        yield from _tarred(file, tuple(suffixes))


def beginnings(
    file: Path, suffixes: Sequence[str], size: int
) -> Iterator[tuple[str, bytes]]:
    """The first `size` bytes of the members that end so, with their names.

    Raises:
        FinetuneError: the archive is broken or cut off.
    """
    wanted = tuple(suffixes)
    if file.name.lower().endswith(".zip"):
        with open_zip(file) as archive:
            for member in archive.infolist():
                if member.filename.lower().endswith(wanted):
                    try:
                        with archive.open(member) as stream:
                            start = stream.read(size)
                    except (zipfile.BadZipFile, zlib.error, RuntimeError):
                        continue  # encrypted or broken: the reading tells it
                    yield member.filename, start
        return
    for tar, member in tar_members(file):
        if member.isfile() and member.name.lower().endswith(wanted):
            stream = tar.extractfile(member)
            with named(file):
                yield member.name, b"" if stream is None else stream.read(size)


def _tarred(file: Path, suffixes: tuple[str, ...]) -> Iterator[Member | Broken]:
    for tar, member in tar_members(file):
        if member.isdir() or not member.name.lower().endswith(suffixes):
            continue
        if reason := refusal(member.name):
            yield Broken(member.name, str(file), reason)
        elif not member.isfile():
            yield Broken(
                member.name, str(file), "is a link or a device, not a document"
            )
        elif member.size > LARGEST_DOCUMENT:
            yield Broken(member.name, str(file), _too_large(member.size))
        else:
            stream = tar.extractfile(member)
            assert stream is not None
            with named(file):
                content = stream.read()
            yield Member(member.name, content)


def _zipped(file: Path, suffixes: tuple[str, ...]) -> Iterator[Member | Broken]:
    with open_zip(file) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.lower().endswith(suffixes):
                continue
            # The library has taken `..` for harmless, since it writes no files here.
            if reason := refusal(member.filename):
                yield Broken(member.filename, str(file), reason)
            elif member.file_size > LARGEST_DOCUMENT:
                yield Broken(member.filename, str(file), _too_large(member.file_size))
            else:
                try:
                    # What is packed can be larger than it says.
                    with archive.open(member) as stream:
                        content = stream.read(LARGEST_DOCUMENT + 1)
                except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
                    reason = f"cannot be unpacked: {error}"
                    yield Broken(member.filename, str(file), reason)
                else:
                    yield Member(member.filename, content)


def _too_large(size: int | None) -> str:
    has = "has more bytes" if size is None else f"has {size:,} bytes"
    return f"{has} than the {LARGEST_DOCUMENT:,} that a document may have"
