"""Migrates the tables of older versions, step by step.

The steps are the numbered files in `schema/`; a step that has been released is never
changed, a new one is added. The number of the last one done stands in the database
itself and changes in the same transaction as the tables.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from medassist.records.cipher import Connection, database_error
from medassist.records.errors import RecordsError, of_database

STEPS: tuple[Path, ...] = tuple(
    sorted((Path(__file__).parent / "schema").glob("[0-9]*.sql"))
)
VERSION = len(STEPS)


def version_of(connection: Connection) -> int:
    """The version of the tables; 0 if there are none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: Connection, file: Path) -> None:
    """Check whether this program can read the tables.

    Raises:
        RecordsError: they are of another version.
    """
    found = version_of(connection)
    if found > VERSION:
        raise RecordsError(
            f"{file} was written by a later version of medassist (its tables are "
            f"version {found}, this program knows {VERSION}). Install that version."
        )
    if found < VERSION:
        raise RecordsError(
            f"{file} was written by an earlier version of medassist and is brought up "
            "to date when it is opened for writing. Close the other window first."
        )


def migrate(connection: Connection, file: Path, upto: int = VERSION) -> None:
    """Run the missing migrations, all of them or none.

    Raises:
        RecordsError: the tables are of a later version, or a step failed; the
            database is then as it was.
    """
    found = version_of(connection)
    if found >= upto:
        check(connection, file)
        return
    failed = database_error()
    try:
        connection.execute("BEGIN IMMEDIATE")
        for step in STEPS[found:upto]:
            for statement in statements(step.read_text("utf-8")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {upto}")
        connection.execute("COMMIT")
    except failed as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise of_database(error, file) from None


def statements(script: str) -> list[str]:
    """Split a script into statements; a trigger counts as one."""
    found: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found
