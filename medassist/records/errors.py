"""Errors of the records, each with a sentence for the user."""

from __future__ import annotations

import errno
from pathlib import Path


class RecordsError(Exception):
    """The records cannot be used as asked. No text of a consultation is in it."""


class WrongPassphrase(RecordsError):
    """The passphrase does not open the records."""

    def __init__(self) -> None:
        super().__init__(
            "This passphrase does not open the records. Check the keyboard's layout "
            "and the Caps Lock key, and try again."
        )


class InUse(RecordsError):
    """Another window has the records open for writing."""


class NotThere(RecordsError):
    """The records have no such consultation."""


class Locked(RecordsError):
    """The records are locked: this program does not have the key."""


class NotSaved(RecordsError):
    """Something that should be saved is not on the disk."""


def of_database(error: Exception, file: Path) -> RecordsError:
    """The error for an exception of SQLite about `file`.

    SQLite's own words are left out where they could repeat a statement's text.
    """
    code: object = getattr(error, "sqlite_errorcode", None)
    # SQLite's primary result codes; an extended one has its kind in the low byte.
    match (code & 0xFF) if isinstance(code, int) else None:
        case 13:  # SQLITE_FULL
            return NotSaved(
                f"The disk that holds {file} is full. What was saved is safe; what "
                "comes now is not kept. Free some space."
            )
        case 8:  # READONLY
            return NotSaved(
                f"{file} cannot be written: it, its folder or its disk is read-only. "
                "What comes now is not kept. Make it writable."
            )
        case 10:  # IOERR
            return NotSaved(
                f"{file} cannot be read or written: the disk failed or is full. What "
                "comes now is not kept. Free some space and check the disk."
            )
        case 5 | 6:  # BUSY, LOCKED
            return InUse(
                f"{file} is busy: another program holds it. Close that program and "
                "try again."
            )
        case 14:  # CANTOPEN
            return RecordsError(
                f"{file} cannot be opened. Check that it is there and that it and its "
                "folder are yours."
            )
        case 11 | 26:  # CORRUPT, NOTADB
            return RecordsError(
                f"{file} is damaged, or is not the file that its key belongs to. Put "
                "the whole folder back from a backup."
            )
        case _:
            return RecordsError(
                f"{file} cannot be used ({type(error).__name__}, code {code}). Put the "
                "whole folder back from a backup if this stays."
            )


def of_system(error: OSError, file: Path) -> RecordsError:
    """The error for an exception of the system about `file`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NotSaved(
            f"The disk that holds {file} is full. Nothing was changed. Free some space."
        )
    return RecordsError(
        f"{file} cannot be read or written: {error.strerror}. Check that it and its "
        "folder are there and are yours."
    )
