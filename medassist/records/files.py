"""The folder of the records: whose it is, and who writes in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from medassist.core.files import PRIVATE_FILE, PRIVATE_FOLDER, open_own
from medassist.records.errors import InUse, RecordsError, of_system

KEY_FILE = "key.json"
DATABASE = "records.db"
LOCK_FILE = "records.lock"


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` outlast a power cut.

    Raises:
        OSError: the folder cannot be opened.
    """
    if sys.platform == "win32":  # has no such call, and does it by itself
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def make_private(folder: Path) -> None:
    """Take away from others what a copy or a backup may have given them.

    Raises:
        RecordsError: the permissions cannot be set.
    """
    if sys.platform == "win32":
        return
    try:
        _restrict(folder, PRIVATE_FOLDER)
        for file in folder.iterdir():
            if file.is_file() and not file.is_symlink():
                _restrict(file, PRIVATE_FILE)
    except OSError as error:
        raise of_system(error, folder) from None


def _restrict(path: Path, mode: int) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(mode)


def create_private(file: Path) -> None:
    """An empty file that was never readable for others, not even for a moment.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))


class WriterLock:
    """Held by the one window that writes; the system frees it when that ends."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / LOCK_FILE
        self._number: int | None = None

    def take(self) -> None:
        """Take the lock, or say who has it.

        Raises:
            InUse: another window has it.
            RecordsError: the lock file cannot be opened.
        """
        if sys.platform == "win32":
            raise RecordsError("Records cannot be kept on Windows yet.")
        import fcntl

        try:
            number = open_own(self._file)
        except OSError as error:
            raise of_system(error, self._file) from None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(number, 32).decode("ascii", "replace").strip()
            os.close(number)
            process = f" (process {holder})" if holder.isdigit() else ""
            raise InUse(
                f"The records are open in another window of medassist{process}. Read "
                "them here, or close that window to write in this one."
            ) from None
        os.ftruncate(number, 0)
        os.pwrite(number, f"{os.getpid()}\n".encode(), 0)
        self._number = number

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._number is not None:
            os.close(self._number)
            self._number = None
