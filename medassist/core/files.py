"""Reads and writes files safely: odd file types refused, writes whole or not at all.

A name can stand for anything: opening a named pipe waits for a writer who never comes,
a device may have no end, and a link can lead to a file that is nobody's business. Here
a name stands for a file, or for a sentence that says what it stands for instead.

What is written has its name only once it is whole and on the disk; until then it stands
beside it under a hidden one. Nothing else in the house renames what it wrote.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

from medassist.core.progress import Watcher, unwatched

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
SHARED_FILE = 0o644
UNFINISHED = ".unfinished"
"""Ends the name of what is not whole yet, of a file or a folder."""
PIECE = 1024 * 1024

# On Windows some of these do not exist, nor does what they guard against.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BYTES = getattr(os, "O_BINARY", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MOST_LINKS = 40
"""Most links from one name to the next, as Linux follows them."""


class NotAFileError(OSError):
    """The path is not a regular file; `strerror` says what it is."""

    def __init__(self, file: Path, what: str) -> None:
        self.what = what
        super().__init__(errno.EINVAL, f"it is {what}, not a file", str(file))


def open_file(file: Path) -> BufferedReader:
    """Open a file to be read, and nothing but a file; never waits.

    Raises:
        NotAFileError: it is a named pipe, a device, a socket or a folder.
        OSError: it is not there, or cannot be read.
    """
    # Looked at before it is opened, for opening a device can do something; and once
    # more afterwards, for the name may stand for another thing by then.
    require_file(file, file.stat().st_mode)
    number = os.open(file, os.O_RDONLY | _AT_ONCE | _BYTES)
    try:
        require_file(file, os.fstat(number).st_mode)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_bytes(file: Path) -> bytes:
    """All bytes of a file, and of nothing but a file.

    Raises:
        NotAFileError, OSError: as for `open_file`.
    """
    with open_file(file) as opened:
        return opened.read()


def read_text(file: Path, encoding: str = "utf-8") -> str:
    """All text of a file, its line ends as newlines, and of nothing but a file.

    Raises:
        NotAFileError, OSError: as for `open_file`.
        UnicodeDecodeError: it is no text in that encoding.
    """
    text = read_bytes(file).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def without_line_end(text: str) -> str:
    """`text` of a file or a pipe without the one line end that closes it."""
    return text.removesuffix("\n").removesuffix("\r")


def require_file(file: Path, mode: int) -> None:
    """Raise `NotAFileError` unless `mode` is that of a regular file.

    Raises:
        NotAFileError: it is something else.
    """
    if stat.S_ISREG(mode):
        return
    what = next((name for test, name in _KINDS if test(mode)), "something else")
    raise NotAFileError(file, what)


def open_own(file: Path) -> int:
    """Open a lock or a partial download of the program's own; its descriptor.

    It is made if need be, for the user alone (0600), to be read and written. A link is
    not followed: whoever can place one there would choose what is written to.

    Returns:
        the descriptor, for the caller to close.

    Raises:
        NotAFileError: it is a link, or no file.
        OSError: it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | _AT_ONCE | _NO_LINK
    try:
        number = os.open(file, flags, PRIVATE_FILE)
    except OSError as error:
        # Told in words, since "Too many levels of symbolic links" says nothing here.
        if file.is_symlink():
            raise NotAFileError(file, "a link, which is not followed here") from error
        raise
    try:
        require_file(file, os.fstat(number).st_mode)
    except BaseException:
        os.close(number)
        raise
    return number


def make_folder(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for the user alone (0700).

    `Path.mkdir` gives its mode to the last folder only.

    Raises:
        OSError: it cannot be made, or is no folder.
    """
    missing: list[Path] = []
    for each in (folder, *folder.parents):
        if each.is_dir():
            break
        missing.append(each)
    for each in reversed(missing):
        each.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def end_of_links(file: Path) -> Path:
    """Follow symbolic links to the file that a write to `file` would replace.

    Raises:
        OSError: a link on the way is another user's, or they lead in a circle.
    """
    for _ in range(MOST_LINKS):
        if not file.is_symlink():
            return file
        if hasattr(os, "getuid") and file.lstat().st_uid not in (0, os.getuid()):
            # In a folder that many share it could lead to a file of this very user.
            what = "a link that another user made, which is not followed"
            raise PermissionError(errno.EACCES, f"it is {what}", str(file))
        file = file.parent / file.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file))


@contextmanager
def writing(
    file: Path,
    mode: int = PRIVATE_FILE,
    *,
    alone: bool = False,
    outlasts_power_cut: bool = True,
) -> Generator[BinaryIO]:
    """Write `file` piece by piece, whole or not at all.

    Through a link the file is written that it leads to. Where the body raises, what
    stood there before stands there still, and what was written is taken away.

    Args:
        file: its folder must be there.
        mode: the file's permissions; by default it is for the user's eyes only.
        alone: nobody else writes `file` meanwhile. Its hidden name is the same each
            time then, so that of a large file no half stays that a kill has left.
        outlasts_power_cut: `False` for what is written often and can be lost.

    Raises:
        OSError: it cannot be written, or stands for no file, as `/dev/null` does.
    """
    file = end_of_links(file)
    if file.exists():
        require_file(file, file.stat().st_mode)
    number, half = _begin(file, alone=alone)
    try:
        with os.fdopen(number, "wb") as out:
            yield out
        half.chmod(mode)
        give_name(half, file, outlasts_power_cut=outlasts_power_cut)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


def _begin(file: Path, *, alone: bool) -> tuple[int, Path]:
    """A new file beside `file`, for the user alone from its first byte on."""
    if not alone:
        import tempfile  # costs what the start of the program has no time for

        number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        return number, Path(name)
    half = file.with_name(f".{file.name}.unfinished")
    half.unlink(missing_ok=True)
    return os.open(
        half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BYTES, PRIVATE_FILE
    ), half


def give_name(half: Path, file: Path, *, outlasts_power_cut: bool = True) -> None:
    """Rename the finished `half`, a file or a folder, to its final name.

    Raises:
        OSError: it cannot be had, or not be brought to the disk.
    """
    if outlasts_power_cut:
        sync(half)
    half.replace(file)
    if outlasts_power_cut:
        # Where a disk cannot do this for names, the file has its name all the same.
        with suppress(OSError):
            sync(file.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk.

    Raises:
        OSError: it cannot be opened.
    """
    folder = path.is_dir()
    if folder and sys.platform == "win32":  # has no such call, and does it by itself
        return
    # Windows brings nothing to the disk of what is open to be read alone.
    writes = sys.platform == "win32"
    number = os.open(path, os.O_RDWR | _BYTES if writes else os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def append_whole(out: FileIO, data: bytes) -> None:
    """Append `data` to an open file, whole and on the disk itself, or not at all.

    Args:
        out: open to be written without a buffer, at its end.
        data: what is appended.

    Raises:
        OSError: it cannot be written; what had been begun is taken away, where that
            can be done.
    """
    start = out.tell()
    left = memoryview(data)
    try:
        while left:
            left = left[out.write(left) or 0 :]
        os.fsync(out.fileno())
    except OSError:
        with suppress(OSError):
            out.truncate(start)
            out.seek(start)
        raise


def write_whole(file: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> None:
    """Write `file`, whole or not at all: `content`, text as UTF-8; see `writing`.

    Raises:
        OSError: as for `writing`.
    """
    with writing(file, mode) as out:
        out.write(content.encode() if isinstance(content, str) else content)


def write_new(file: Path, content: str | bytes) -> None:
    """Write a file of the user's own, whole or not at all, and over none (0600).

    Raises:
        FileExistsError: there is one already; it is left as it is.
        OSError: it cannot be written.
    """
    create_private(file)  # the name first, so that nobody else takes it meanwhile
    try:
        write_whole(file, content)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def create_private(file: Path) -> None:
    """An empty file that was never readable for others, not even for a moment.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))


def copy_whole(
    source: Path, file: Path, mode: int = PRIVATE_FILE, told: Watcher = unwatched
) -> None:
    """Copy the bytes of `source` to `file`, whole or not at all; nobody else may.

    Raises:
        NotAFileError, OSError: `source` is no file, or one of them fails.
    """
    total, done = source.stat().st_size, 0
    with open_file(source) as read, writing(file, mode, alone=True) as out:
        while piece := read.read(PIECE):
            out.write(piece)
            done += len(piece)
            told(f"copying {source.name}", done, total)


def sha256_of_file(file: Path, told: Watcher = unwatched) -> str:
    """The sha256 of the file's content, as 64 hexadecimal digits.

    Raises:
        NotAFileError, OSError: it is no file, or cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    with open_file(file) as opened:
        total, done = os.fstat(opened.fileno()).st_size, 0
        while count := opened.readinto(buffer):
            digest.update(buffer[:count])
            done += count
            told(f"checking {file.name}", done, total)
    return digest.hexdigest()
