"""Work under a hidden name beside its target, one worker at a time.

What a kill leaves is taken away by the next call for the same target: it is known by
a mark with the target's name in it, and left alone while somebody holds the mark.
The system lets go of it when its holder ends, however that is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from medassist.core.files import open_own

MARK = "unfinished"
ATTEMPTS = 5
"""To hold a file that others remove when they let go of it."""


class HeldError(Exception):
    """Another process holds the file."""


class Held(NamedTuple):
    """A file that is held.

    Attributes:
        descriptor: to write to it.
        alone: nobody else holds it; `False` where the disk knows no locks.
    """

    descriptor: int
    alone: bool


@contextmanager
def held(file: Path) -> Generator[Held]:
    """Hold `file`, which is made, and removed at the end.

    Raises:
        HeldError: another process, or another part of this one, holds it.
        OSError: it cannot be made.
    """
    found = _hold(file)
    try:
        yield found
    finally:
        if sys.platform != "win32":  # while it is held: later it may be another's
            with suppress(OSError):
                file.unlink()
        os.close(found.descriptor)
        if sys.platform == "win32":  # which removes no file that is open
            with suppress(OSError):
                file.unlink()


@contextmanager
def folder_beside(target: Path) -> Generator[Path]:
    """A new hidden folder beside `target`, for what is to become it.

    What is in it at the end is removed with it, and so is what a killed call for the
    same target left.

    Raises:
        OSError: the folder cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with held(folder / MARK) as mark:
            # Only now: a mark without a name is one that is just being made.
            os.write(mark.descriptor, os.fsencode(target.name))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove the hidden folders for `target` that nobody works in."""
    try:
        found = [
            folder
            for folder in target.parent.iterdir()
            if folder.name.startswith(f".{target.name}.")
        ]
    except OSError:
        return
    for folder in found:
        mark = folder / MARK
        try:
            if folder.is_symlink() or mark.is_symlink() or not mark.is_file():
                continue
            if mark.read_bytes() != os.fsencode(target.name):
                continue
            with held(mark) as mine:
                if mine.alone:
                    shutil.rmtree(folder, ignore_errors=True)
        except (HeldError, OSError):
            continue


def _hold(file: Path) -> Held:
    for _ in range(ATTEMPTS):
        descriptor = open_own(file)
        try:
            alone = _lock(descriptor)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    return Held(descriptor, alone)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder has just removed it; there may be a new one
    raise HeldError(str(file))


if sys.platform == "win32":
    import msvcrt

    _BEHIND = 1 << 30
    """A byte that is locked and never written, so that the others can be read."""

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _BEHIND, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise HeldError(str(error)) from error
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError(str(error)) from error
        except OSError:
            return False  # some network disks know no locks
        return True
