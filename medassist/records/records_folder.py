"""The folder of the records: its permissions, its writer's lock, and its end."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from medassist.core.files import PRIVATE_FILE, PRIVATE_FOLDER, sync
from medassist.core.locks import HeldError, Lock
from medassist.records.errors import InUse, RecordsError, of_system

KEY_FILE = "key.json"
DATABASE = "records.db"
LOCK_FILE = "records.lock"
ASIDE = "~aside-"
GONE = "~deleted"
"""No name of a user has this sign."""
MOST_ASIDE = 9


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


def put_aside(folder: Path) -> Path:
    """Give locked records another name, so that new ones can be begun; the name.

    Nothing of them is lost: who finds the passphrase again gives them their name back.

    Raises:
        InUse: another program has them open.
        RecordsError: they cannot be renamed, or too many stand there already.
    """
    names = [
        folder.with_name(f"{folder.name}{ASIDE}{number}")
        for number in range(1, MOST_ASIDE + 1)
    ]
    free = next((name for name in names if not name.exists()), None)
    if free is None:
        raise RecordsError(
            f"{names[-1]} is there: so many times records were begun anew. Move those "
            "that were put aside away first."
        )
    _rename(folder, free)
    return free


def destroy(folder: Path) -> None:
    """Delete locked records for good, the key first.

    Raises:
        InUse: another program has them open.
        RecordsError: they cannot be deleted.
    """
    gone = folder.with_name(folder.name + GONE)
    destroy_rest(gone)
    _rename(folder, gone)
    destroy_rest(gone)


def destroy_rest(gone: Path) -> None:
    """Delete what `destroy` has given another name; nothing if that is not there.

    Raises:
        RecordsError: it cannot be deleted.
    """
    try:
        if not gone.is_dir():
            return
        # Without it the rest cannot be read, should the deletion end here.
        (gone / KEY_FILE).unlink(missing_ok=True)
        sync(gone)
        shutil.rmtree(gone)
        sync(gone.parent)
    except OSError as error:
        raise of_system(error, gone) from None


def _rename(folder: Path, name: Path) -> None:
    lock = writer_lock(folder)
    try:
        folder.rename(name)
        sync(folder.parent)
    except OSError as error:
        raise of_system(error, folder) from None
    finally:
        lock.release()
