"""The files of a zip or tar, unpacked one at a time for a source that reads files.

A download is read as it is. Whose names lead out of the archive, what is a link, and
what grows beyond measure (a zip bomb) is refused, and the reading goes on behind it.
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from finetune.data.sources.data_source import Broken, Columns, DataSource, Read, Reading
from finetune.data.sources.inputs import DATA, compressed
from finetune.data.sources.packed import open_zip, refusal, tar_members
from finetune.errors import FinetuneError

MOST_GROWTH = 200  # times that a member may be larger unpacked than packed
SMALL = 64 * 2**20  # bytes that every member may have
MOST_MEMBERS = 1_000_000  # files of data in one archive
_CHUNK = 2**20
_ENDINGS = compressed(*DATA)
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error),
    *(EOFError, RuntimeError, NotImplementedError),
)


@dataclass(frozen=True)
class _Packed:
    """A member: its name, its bytes packed (of all, in a tar) and unpacked."""

    name: str
    packed: int
    size: int

    @property
    def reason(self) -> str:
        """Why it is not unpacked; "" if nothing is against it."""
        most = max(SMALL, MOST_GROWTH * self.packed)
        if self.size > most:
            return (
                f"would have {self.size:,} bytes unpacked, more than {MOST_GROWTH} "
                "times its size; unpack it yourself if you trust it"
            )
        return refusal(self.name)


def read_unpacked(source: DataSource, file: Path) -> Reading:
    """The records of a source's files that lie in an archive, in the archive's order.

    Args:
        source: asked which of the files are its own.
        file: a zip or tar.

    Raises:
        FinetuneError: the archive is broken or cut off, or holds nothing of the source.
    """
    told: Columns | None = None
    with TemporaryDirectory(prefix="medassist-unpacked-") as made:
        folder = Path(made)
        names: dict[Path, str] = {}
        for member in _members(file):
            place = folder / PurePosixPath(member.name.replace("\\", "/"))
            if reason := member.reason or _laid_out(place):
                yield Broken(member.name, str(file), reason)
            elif len(names) < MOST_MEMBERS:
                names.setdefault(place, member.name)
        try:
            chosen = source.files(folder)
        except FinetuneError as error:
            raise FinetuneError(_said(error, folder, file)) from error
        wanted = {names[place]: place for place in chosen}
        for name, opened in _opened(file):
            if (place := wanted.pop(name, None)) is None:
                continue
            try:
                _unpack(opened, place)
                columns = yield from _named_after(source.read(place), folder, file)
                told = _both(told, columns)
            except FinetuneError as error:
                yield Broken(name, str(file), _said(error, folder, file))
            finally:
                place.unlink(missing_ok=True)
    return told


def _named_after(records: Iterator[Read], folder: Path, file: Path) -> Reading:
    """Records whose errors name the archive, and not the place of the unpacking."""
    while True:
        try:
            found = next(records)
        except StopIteration as end:
            return end.value
        if isinstance(found, Broken):
            reason = _said(found.reason, folder, file)
            found = type(found)(found.id, _said(found.file, folder, file), reason)
        yield found


def _said(text: object, folder: Path, file: Path) -> str:
    return str(text).replace(str(folder), str(file))


def _laid_out(place: Path) -> str:
    """Put an empty file at its place, by which the source knows what is there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    except OSError as error:
        return f"its name is none of a file here: {error.strerror}"
    return ""


def _members(file: Path) -> Iterator[_Packed]:
    if file.name.lower().endswith(".zip"):
        with open_zip(file) as archive:
            for member in archive.infolist():
                if not member.is_dir() and _is_data(member.filename):
                    name, packed = member.filename, member.compress_size
                    yield _Packed(name, packed, member.file_size)
        return
    packed = file.stat().st_size
    for _, member in tar_members(file):
        if member.isfile() and _is_data(member.name):
            yield _Packed(member.name, packed, member.size)


def _is_data(name: str) -> bool:
    path = PurePosixPath(name)
    # A Mac's zip holds a file of its own beside each.
    return path.name.lower().endswith(_ENDINGS) and "__MACOSX" not in path.parts


def _opened(file: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """Each member's name and what opens it, in one pass.

    To look for a member anew is to decompress all that stand before it.
    """
    if file.name.lower().endswith(".zip"):
        with open_zip(file) as archive:
            for member in archive.infolist():
                yield member.filename, partial(archive.open, member)
        return
    for tar, entry in tar_members(file):
        if entry.isfile():
            yield entry.name, partial(_extracted, tar, entry)


def _extracted(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(entry)
    assert stream is not None  # a file has one
    return stream


def _unpack(opened: Callable[[], IO[bytes]], place: Path) -> None:
    """Write a member to its place; what it has at most, its entry has told.

    Raises:
        FinetuneError: it cannot be unpacked, or the disk is full.
    """
    try:
        with opened() as stream, place.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
    except _BROKEN as error:
        raise FinetuneError(f"cannot be unpacked: {error}") from error
    except OSError as error:
        raise FinetuneError(
            f"cannot be unpacked into {place.parent}: {error.strerror or error}; "
            "unpack the archive yourself, or set TMPDIR to a folder with more room"
        ) from error


def _both(one: Columns | None, other: Columns | None) -> Columns | None:
    """Joins the columns of two files."""
    if one is None or other is None:
        return one or other
    taken = {
        ours: tuple(
            dict.fromkeys([*one.taken.get(ours, ()), *other.taken.get(ours, ())])
        )
        for ours in dict.fromkeys([*one.taken, *other.taken])
    }
    unused = tuple(dict.fromkeys([*one.unused, *other.unused]))
    missing, changed = dict(one.missing), dict(one.changed)
    for counts, more in ((missing, other.missing), (changed, other.changed)):
        for name, number in more.items():
            counts[name] = counts.get(name, 0) + number
    return Columns(taken, unused, missing, changed)
