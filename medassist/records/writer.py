"""Thread that writes to the database, so that the screen never waits for it.

Changes queue up; the thread takes all that wait, writes them in one transaction and
then acknowledges each (group commit): while one fsync runs, the next transaction
gathers. What is acknowledged is on the disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medassist.records.cipher import Connection, database_error
from medassist.records.errors import Locked, NotSaved, RecordsError, of_database

Change = Callable[[Connection], Any]
AT_ONCE = 512
"""The most changes of one transaction."""


@dataclass(frozen=True)
class _Job:
    change: Change
    done: Future[Any]
    alone: bool


class Writer:
    """Owns the connection that writes, and closes it."""

    def __init__(self, connection: Connection, file: Path) -> None:
        self._connection = connection
        self._file = file
        self._identity = _identity(file)
        self._failure = database_error()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def submit(self, change: Change, *, alone: bool = False) -> Future[Any]:
        """Queue `change`; the result is set once it is durable.

        Args:
            change: what is done to the database, in the order of submission.
            alone: outside of any transaction, as VACUUM wants it.
        """
        job = _Job(change, Future(), alone)
        # Who no longer waits for it does not take it back.
        job.done.set_running_or_notify_cancel()
        with self._lock:
            if self._closed:
                job.done.set_exception(Locked("The records are locked."))
            else:
                self._jobs.put(job)
        return job.done

    def close(self) -> None:
        """Write what is queued, then close the connection. Blocks."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                if job.alone:
                    self._write(batch)
                    batch = []
                    self._alone(job)
                else:
                    batch.append(job)
                if len(batch) >= AT_ONCE:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            open_ = job is not None
            self._write(batch)
        with suppress(self._failure):
            self._connection.close()

    def _write(self, batch: list[_Job]) -> None:
        """One transaction. A change that is refused takes nothing with it."""
        if not batch:
            return
        try:
            self._check_file()
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._try(job) for job in batch]
            self._connection.execute("COMMIT")
        except self._failure as error:
            self._undo()
            _fail(batch, of_database(error, self._file))
        except RecordsError as error:
            self._undo()
            _fail(batch, error)
        else:
            for tell in results:
                tell()

    def _try(self, job: _Job) -> Callable[[], None]:
        """Do a change; return what tells its owner, once all of them are durable."""
        self._connection.execute("SAVEPOINT change")
        try:
            result = job.change(self._connection)
        except self._failure as error:
            if not _is_refusal(error):
                raise  # the disk: the whole transaction is lost
            self._back()
            refused = of_database(error, self._file)
            return lambda: job.done.set_exception(refused)
        except Exception as error:
            self._back()
            told = error.with_traceback(None)
            return lambda: job.done.set_exception(told)
        self._connection.execute("RELEASE change")
        return lambda: job.done.set_result(result)

    def _alone(self, job: _Job) -> None:
        try:
            self._check_file()
            result = job.change(self._connection)
        except self._failure as error:
            self._undo()
            _fail([job], of_database(error, self._file))
        except Exception as error:
            self._undo()
            _fail([job], error.with_traceback(None))
        else:
            job.done.set_result(result)

    def _back(self) -> None:
        self._connection.execute("ROLLBACK TO change")
        self._connection.execute("RELEASE change")

    def _undo(self) -> None:
        with suppress(self._failure):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _check_file(self) -> None:
        # SQLite would go on writing into a file that has lost its name, and all of
        # it would be gone at the end.
        if _identity(self._file) != self._identity:
            raise NotSaved(
                f"{self._file} was moved, removed or replaced while it was open. What "
                "comes now is not kept. Put it back, then lock and unlock the records."
            )


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        job.done.set_exception(error)


def _is_refusal(error: Exception) -> bool:
    """A constraint or a wrong value: this change's own fault, not the disk's."""
    code: object = getattr(error, "sqlite_errorcode", None)
    return code is None or (isinstance(code, int) and code & 0xFF in (1, 19, 20, 25))


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
