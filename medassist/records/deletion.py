"""Deletes consultations, and says what deletion can promise."""

from __future__ import annotations

from medassist.records.cipher import Connection

WHAT_DELETION_MEANS = (
    "It is removed from the records, its words from the search, and the file is "
    "written anew without it. On an SSD, and in backups and snapshots, older copies "
    "of the file can stay. They are encrypted; whoever has the passphrase of that "
    "time can read them. Exported files are not touched."
)
"""Shown before a consultation is deleted."""


def delete(db: Connection, consultations: tuple[int, ...]) -> int:
    """Take consultations out of the tables and out of the search; how many they were.

    With `secure_delete` what they took in the file is overwritten with zeros.
    """
    removed = 0
    for consultation in consultations:
        done = db.execute("DELETE FROM consultation WHERE id = ?", (consultation,))
        removed += done.rowcount
    db.execute("DELETE FROM source WHERE id NOT IN (SELECT source FROM answer)")
    return removed


def rewrite(db: Connection) -> None:
    """Write index and file anew without what was deleted, and empty the log.

    Outside of a transaction. It takes a second for some thousands of consultations.
    """
    db.execute("INSERT INTO passage_index (passage_index) VALUES ('optimize')")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
