"""Opening what stands under a name that somebody else may have chosen.

A name can stand for anything: opening a named pipe waits for a writer who never comes,
a device may have no end, and a link can lead to a file that is nobody's business. Here
a name stands for a file, or for a sentence that says what it stands for instead.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600

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
"""As many as Linux follows from one name to the next."""


class NotAFileError(OSError):
    """The name stands for no file; `strerror` says what it stands for."""

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
    """Make sure that what has `mode` is a file.

    Raises:
        NotAFileError: it is something else.
    """
    if stat.S_ISREG(mode):
        return
    what = next((name for test, name in _KINDS if test(mode)), "something else")
    raise NotAFileError(file, what)


def open_own(file: Path) -> int:
    """A descriptor of a file of the program's own, a lock or what is half fetched.

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
    """The file that is written where `file` is: itself, or what it is a link to.

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
