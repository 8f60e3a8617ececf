"""Opens the encrypted database.

SQLCipher encrypts every page with AES-256 and authenticates it with HMAC-SHA512;
what SQLite writes into the write-ahead log is encrypted too. The key is given raw,
since it is random already: SQLCipher's own derivation would only cost time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from medassist.records.errors import RecordsError, of_database
from medassist.records.key import wipe

BUSY_S = 5.0
"""The longest that one connection waits for another of the same records."""


class Cursor(Protocol):
    """The part of a DB-API cursor that the records use."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """The part of `sqlcipher3.dbapi2.Connection` that the records use."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Cursor: ...

    def executemany(
        self, sql: str, parameters: Sequence[Sequence[object]], /
    ) -> Cursor: ...

    def set_key(self, key: bytearray, /) -> None: ...

    def close(self) -> None: ...


class _SqlCipher(Protocol):
    @property
    def Error(self) -> type[Exception]: ...  # noqa: N802 - DB-API's name

    def connect(
        self,
        database: str,
        *,
        uri: bool,
        timeout: float,
        isolation_level: None,
        check_same_thread: bool,
    ) -> Connection: ...


def _sqlcipher() -> _SqlCipher:
    from importlib import import_module

    return cast("_SqlCipher", import_module("sqlcipher3.dbapi2"))


def database_error() -> type[Exception]:
    """The base class of SQLite's exceptions."""
    return _sqlcipher().Error


def connect(file: Path, key: bytearray, *, read_only: bool = False) -> Connection:
    """Open the database at `file`; any thread may use the connection, one at a time.

    Raises:
        RecordsError: it cannot be opened, or the key is not its key.
    """
    sqlcipher = _sqlcipher()
    mode = "ro" if read_only else "rw"
    connection: Connection | None = None
    raw = bytearray(b"x'") + key.hex().encode("ascii") + b"'"
    try:
        connection = sqlcipher.connect(
            f"{file.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        # Before the key, so that the memory that it goes into is locked and wiped.
        connection.execute("PRAGMA cipher_memory_security = ON")
        connection.set_key(raw)
        _prepare(connection, read_only)
    except sqlcipher.Error as error:
        if connection is not None:
            connection.close()
        raise of_database(error, file) from None
    except RecordsError:
        if connection is not None:
            connection.close()
        raise
    finally:
        wipe(raw)
    return connection


def _prepare(connection: Connection, read_only: bool) -> None:
    for setting in (
        "temp_store = MEMORY",  # a sort or a VACUUM leaves nothing in /tmp
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "foreign_keys = ON",
        "query_only = ON" if read_only else "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {setting}")
    # The first page that is read tells whether the key is right.
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if read_only:
        return
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise RecordsError(
            "The disk of the records cannot hold them safely (no write-ahead log "
            "there). Keep them on a disk of this computer."
        )
    # FULL: a transaction is on the disk when it counts as done, not soon after.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS; no meaning elsewhere
