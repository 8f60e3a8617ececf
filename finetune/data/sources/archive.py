"""Documents out of archives, in memory and one at a time; nothing is unpacked.

Names that lead out of the archive and links are refused all the same: whoever made
such an archive did not make a data set.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finetune.data.sources.inputs import TARS
from finetune.data.sources.source import Broken
from finetune.data.sources.text_lines import opened
from finetune.errors import FinetuneError

LARGEST_DOCUMENT = 64 * 2**20  # bytes; the largest articles have about ten million


@dataclass(frozen=True)
class Member:
    """A document as it stands in a file or an archive."""

    name: str
    content: bytes


def is_archive(file: Path) -> bool:
    """Whether documents lie in `file`, by its name."""
    return file.name.lower().endswith((*TARS, ".zip"))


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


def member_names(file: Path) -> Iterator[str]:
    """The names in a tar or zip, without their contents.

    Raises:
        FinetuneError: the archive is broken or cut off.
    """
    if file.name.lower().endswith(".zip"):
        with _zip(file) as archive:
            yield from archive.namelist()
    else:
        for _, member in _members(file):
            yield member.name


def refusal(name: str) -> str:
    """Why a member of that name is not read; "" if there is nothing against it."""
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or name[1:2] == ":":
        return "its name is an absolute path; archives of data sets have no such names"
    if ".." in parts:
        return "its name leads out of the archive (..)"
    return ""


def _tarred(file: Path, suffixes: tuple[str, ...]) -> Iterator[Member | Broken]:
    for tar, member in _members(file):
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
            with _named(file):
                content = stream.read()
            yield Member(member.name, content)


def _members(file: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with _named(file), tarfile.open(file) as tar:
        while (member := tar.next()) is not None:
            # The library keeps each member; millions of articles would stay.
            tar.members.clear()  # type: ignore[attr-defined]
            yield tar, member


@contextmanager
def _named(file: Path) -> Generator[None]:
    """Name the archive in what its libraries raise."""
    try:
        yield
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as an archive ({error}); it is cut off or broken: "
            "copy it anew"
        ) from error


def _zipped(file: Path, suffixes: tuple[str, ...]) -> Iterator[Member | Broken]:
    with _zip(file) as archive:
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


def _zip(file: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as a zip ({error}); it is cut off or broken: copy "
            "it anew"
        ) from error


def _too_large(size: int | None) -> str:
    has = "has more bytes" if size is None else f"has {size:,} bytes"
    return f"{has} than the {LARGEST_DOCUMENT:,} that a document may have"
