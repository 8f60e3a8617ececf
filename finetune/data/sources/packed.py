"""Zips and tars: which files are some, and what is in them by name."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from finetune.errors import FinetuneError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
ARCHIVES = (".zip", *TARS)


def is_archive(file: Path) -> bool:
    """Whether files lie in `file`, by its name."""
    return file.name.lower().endswith(ARCHIVES)


def member_names(file: Path) -> Iterator[str]:
    """The names in a tar or zip, without their contents.

    Raises:
        FinetuneError: the archive is broken or cut off.
    """
    if file.name.lower().endswith(".zip"):
        with open_zip(file) as archive:
            yield from archive.namelist()
    else:
        for _, member in tar_members(file):
            yield member.name


def refusal(name: str) -> str:
    """Why a member of that name is not read; "" if there is nothing against it."""
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or name[1:2] == ":":
        return "its name is an absolute path; archives of data sets have no such names"
    if ".." in parts:
        return "its name leads out of the archive (..)"
    return ""


def tar_members(file: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of a tar, one at a time.

    Raises:
        FinetuneError: it is broken or cut off.
    """
    with named(file), tarfile.open(file) as tar:
        while (member := tar.next()) is not None:
            # The library keeps each member; millions of articles would stay.
            tar.members.clear()  # type: ignore[attr-defined]
            yield tar, member


@contextmanager
def named(file: Path) -> Generator[None]:
    """Name the archive in what its libraries raise."""
    try:
        yield
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as an archive ({error}); it is cut off or broken: "
            "copy it anew"
        ) from error


def open_zip(file: Path) -> zipfile.ZipFile:
    """A zip, open for reading.

    Raises:
        FinetuneError: it is none, or broken.
    """
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError) as error:
        raise FinetuneError(
            f"{file} cannot be read as a zip ({error}); it is cut off or broken: copy "
            "it anew"
        ) from error
