"""One preparation at a time in a run folder, the workers of a killed one included."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from finetune.errors import FinetuneError
from medassist.core.files import open_own

MAIN = ".lock"
WORKERS = ".lock-workers"
PATIENCE = 20.0  # seconds that orphaned workers get to see that they are
_held: list[IO[str]] = []  # by a worker
_main: list[IO[str]] = []  # by the main process
_hooked: list[bool] = []


@contextmanager
def locked(data: Path) -> Generator[None]:
    """Hold `data` for this process; given back by the system if the process dies.

    Raises:
        FinetuneError: another process prepares data there.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with _lock_file(data / MAIN) as main:
        try:
            fcntl.flock(main, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            main.seek(0)
            raise FinetuneError(
                f"{data} is being prepared by another process ({main.read().strip()}); "
                "wait for it, or give another --out"
            ) from None
        _main.append(main)
        if not _hooked:
            _hooked.append(True)
            os.register_at_fork(after_in_child=_in_a_fork)
        main.seek(0)
        main.truncate()
        main.write(f"process {os.getpid()}")
        main.flush()
        try:
            _wait_for_workers(data)
            yield
        finally:
            _main.clear()
            for name in (MAIN, WORKERS):
                with suppress(OSError):
                    (data / name).unlink()


def _lock_file(file: Path) -> IO[str]:
    try:
        return os.fdopen(open_own(file), "r+", encoding="ascii")
    except OSError as error:
        raise FinetuneError(
            f"{file} cannot be used to keep two preparations apart: {error.strerror}; "
            "take it away, or give another --out"
        ) from error


def _wait_for_workers(data: Path) -> None:
    import fcntl

    with _lock_file(data / WORKERS) as workers:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise FinetuneError(
                        f"processes of an earlier preparation still write into {data}; "
                        "end them, or give another --out"
                    ) from None
                time.sleep(0.1)


def _in_a_fork() -> None:
    """A process forked from the main one (multiprocessing's manager) is no owner.

    It would hold the lock when the main process is killed, and would itself stay.
    """
    if _main:
        for main in _main:
            os.close(main.fileno())
        _main.clear()
        _end_with_parent()


def work_for(data: Path) -> None:
    """Tie this worker process to the main one: it ends when that is gone.

    A main process that is killed cannot stop its workers; they would write on.
    """
    if _held or sys.platform == "win32":
        return
    import fcntl

    workers = _lock_file(data / WORKERS)
    fcntl.flock(workers, fcntl.LOCK_SH)
    _held.append(workers)
    _end_with_parent()


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
