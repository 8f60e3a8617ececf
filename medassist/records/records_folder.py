"""The folder of the records: its permissions and its writer's lock."""

from __future__ import annotations

import sys
from pathlib import Path

from medassist.core.files import PRIVATE_FILE, PRIVATE_FOLDER
from medassist.core.locks import HeldError, Lock
from medassist.records.errors import InUse, RecordsError, of_system

KEY_FILE = "key.json"
DATABASE = "records.db"
LOCK_FILE = "records.lock"


def make_private(folder: Path) -> None:
    """Remove permissions of others, as a copy or backup may have added.

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


def writer_lock(folder: Path) -> Lock:
    """Take the lock of the one window that writes in `folder`.

    Raises:
        InUse: another window has it.
        RecordsError: the lock file cannot be opened.
    """
    if sys.platform == "win32":
        raise RecordsError("Records cannot be kept on Windows yet.")
    lock = Lock(folder / LOCK_FILE)
    try:
        lock.take()
    except HeldError as held:
        raise InUse(
            f"The records are open in another window of medassist{held.holder}. Read "
            "them here, or close that window to write in this one."
        ) from None
    except OSError as error:
        raise of_system(error, folder / LOCK_FILE) from None
    if not lock.alone:
        lock.release()
        raise InUse(
            f"The disk of {folder} cannot keep two windows of medassist apart. Read "
            "the records here, or move the data folder to a disk of this computer."
        )
    return lock
