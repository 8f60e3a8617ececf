"""Progress of the ranks in small files, which the main process adds up."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from medassist.core.files import SHARED_FILE, writing
from medassist.core.progress import Watcher

EVERY = 0.5  # seconds
LOOK = 0.25  # seconds between two looks of the main process


class Reporter:
    """Reports the progress of a rank."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._file = folder / f"{rank:05d}"
        self._next = 0.0
        self._done = 0

    def add(self, done: int) -> None:
        """Count `done` more; told now and then."""
        self._done += done
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY
            self.tell()

    def tell(self) -> None:
        """Tell at once."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with writing(self._file, SHARED_FILE, outlasts_power_cut=False) as out:
            out.write(f"{self._done} {os.getpid()}".encode())


def _told(folder: Path) -> int:
    done = 0
    for file in folder.glob("?????"):
        try:
            done += int(file.read_text("ascii").split()[0])
        except (OSError, ValueError, IndexError):
            continue
    return done


@contextmanager
def reported(watcher: Watcher, what: str, folder: Path, total: int) -> Generator[None]:
    """Show the progress of a stage while its ranks work.

    Args:
        watcher: who is told.
        what: the stage in the user's words.
        folder: where the ranks write.
        total: what all of them come to together.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK):
            watcher(what, min(_told(folder), total), total)

    watcher(what, 0, total)
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
        ended.set()
        thread.join()
        watcher(what, total, total)
    finally:
        ended.set()
        thread.join()
