"""A file that one process at a time holds, and that is free when its holder ends.

The system lets go of it however the holder ends, also by a kill. Locks that many share
are not needed: who waits for several holders gives each a file of its own, and takes
those one after the other (filelock's shared locks are an SQLite database, which follows
links, or are kept alive by a clock).
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from medassist.core.files import open_own

ATTEMPTS = 5
"""Attempts to hold a file that others remove when they let go of it."""
_HOLDER = re.compile(rb"(?:process )?(\d{1,10})\s*")
"""Process id in a lock file, by this version or an older one."""


class HeldError(Exception):
    """Another process holds the file.

    Attributes:
        holder: ` (process 4711)`, for a sentence; empty where it did not say that.
    """

    def __init__(self, file: Path, said: bytes) -> None:
        number = _HOLDER.fullmatch(said)
        self.holder = f" (process {int(number[1])})" if number else ""
        super().__init__(f"{file} is held by another process{self.holder}")


class Lock:
    """Holds a file of the program's own, which is made for the user alone (0600).

    A link is not followed. A process that is forked off holds nothing: it could outlive
    the holder.

    Attributes:
        alone: nobody else holds the file; `False` also where the disk knows no locks.
    """

    def __init__(
        self, file: Path, *, passing: bool = False, says: bytes | None = None
    ) -> None:
        """A lock that is free as yet.

        Args:
            file: its folder must be there.
            passing: the file is removed when the lock is given back.
            says: what is written into the file; by default which process holds it.
        """
        self._file = file
        self._passing = passing
        self._says = says
        self._number: int | None = None
        self.alone = False

    def take(self, *, wait: bool = False) -> None:
        """Take the lock, and say in the file who has it.

        Raises:
            HeldError: another process, or another part of this one, has it.
            OSError: the file cannot be made, or is a link.
        """
        for _ in range(ATTEMPTS):
            number = open_own(self._file)
            try:
                self.alone = _locked(number, self._file, wait=wait)
                if self._is_still(number):
                    self._say(number)
                    self._number = number
                    _taken.add(self)
                    return
            except BaseException:
                os.close(number)
                raise
            os.close(number)  # its holder has just removed it; there may be a new one
        raise HeldError(self._file, b"")

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        number, self._number = self._number, None
        _taken.discard(self)
        if number is None:
            return
        # Removed while it is held, for later it may be another's; but Windows removes
        # no file that is open.
        if self._passing and sys.platform != "win32":
            self._remove()
        os.close(number)
        if self._passing and sys.platform == "win32":
            self._remove()

    def forget(self) -> None:
        """Forgets the lock in a process that was forked off: it is the parent's."""
        number, self._number = self._number, None
        _taken.discard(self)
        if number is not None:
            os.close(number)

    def __enter__(self) -> Lock:
        """Take the lock where it is not held yet; see `take`."""
        if self._number is None:
            self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self.release()

    def _is_still(self, number: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(number), self._file.stat())
        return False

    def _say(self, number: int) -> None:
        says = self._says
        os.ftruncate(number, 0)
        os.write(number, f"process {os.getpid()}\n".encode() if says is None else says)

    def _remove(self) -> None:
        with suppress(OSError):
            self._file.unlink()


def _locked(number: int, file: Path, *, wait: bool) -> bool:
    """Whether the lock was had; `False` where the disk knows none.

    Raises:
        HeldError: another holds it, and it is not waited for.
    """
    from filelock import lock_descriptor  # not in the time before the first frame

    try:
        if lock_descriptor(number, blocking=wait):
            return True
    except OSError:
        return False  # some network disks know no locks
    said = b""
    with suppress(OSError):  # Windows lets nobody else read what is locked
        said = os.read(number, 64)
    raise HeldError(file, said)


_taken: set[Lock] = set()


def _in_a_fork() -> None:
    for lock in tuple(_taken):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_fork)
