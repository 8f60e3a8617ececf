"""Lock of a run folder: one preparation at a time, including orphaned workers."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from finetune.errors import FinetuneError
from medassist.core.locks import HeldError, Lock

MAIN = ".lock"
WORKERS = ".lock-workers"
"""The beginning of their names: each worker holds a file of its own."""
PATIENCE = 20.0  # seconds that orphaned workers get to see that they are
_held: list[Lock] = []  # by a worker
_main: list[Lock] = []  # by the main process
_hooked: list[bool] = []


@contextmanager
def locked(data: Path) -> Generator[None]:
    """Hold `data` for this process; given back by the system if the process dies.

    Raises:
        FinetuneError: another process prepares data there.
    """
    lock = Lock(data / MAIN, passing=True)
    try:
        lock.take()
    except HeldError as held:
        raise FinetuneError(
            f"{data} is being prepared by another process{held.holder}; wait for it, "
            "or give another --out"
        ) from None
    except OSError as error:
        raise _unusable(data / MAIN, error) from error
    _main.append(lock)
    if not _hooked and sys.platform != "win32":
        _hooked.append(True)
        os.register_at_fork(after_in_child=_in_a_fork)
    with lock:
        try:
            _wait_for_workers(data)
            yield
        finally:
            _main.clear()
            for file in _worker_locks(data):
                with suppress(OSError):
                    file.unlink()


def _unusable(file: Path, error: OSError) -> FinetuneError:
    return FinetuneError(
        f"{file} cannot be used to keep two preparations apart: {error.strerror}; "
        "take it away, or give another --out"
    )


def _worker_locks(data: Path) -> list[Path]:
    return sorted(data.glob(f"{WORKERS}*"))


def _wait_for_workers(data: Path) -> None:
    until = time.monotonic() + PATIENCE
    for file in _worker_locks(data):
        while True:
            try:
                with Lock(file, passing=True):
                    break
            except HeldError:
                if time.monotonic() > until:
                    raise FinetuneError(
                        f"processes of an earlier preparation still write into {data}; "
                        "end them, or give another --out"
                    ) from None
                time.sleep(0.1)
            except OSError as error:
                raise _unusable(file, error) from error


def _in_a_fork() -> None:
    """A process forked from the main one (multiprocessing's manager) ends with it."""
    if _main:
        _main.clear()
        _end_with_parent()


def work_for(data: Path) -> None:
    """Tie this worker process to the main one: it ends when that is gone.

    A main process that is killed cannot stop its workers; they would write on.
    """
    if _held or sys.platform == "win32":
        return
    file = data / f"{WORKERS}-{os.getpid()}-{secrets.token_hex(4)}"
    lock = Lock(file)
    try:
        lock.take()
    except OSError as error:
        raise _unusable(file, error) from error
    _held.append(lock)
    _end_with_parent()


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
