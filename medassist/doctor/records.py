"""Checks the records from outside; nothing is opened or asked for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from medassist.core.files import open_file
from medassist.core.paths import data_dir
from medassist.core.words import size
from medassist.doctor.finding import Finding, brief, typed
from medassist.records.errors import RecordsError
from medassist.records.key import read_key_file
from medassist.records.records_folder import DATABASE, KEY_FILE
from medassist.settings import Settings

PART = "records"
FOLDER = "records"
"""Same name as in `records.vault`, whose import would take longer than the rest."""
PLAIN = b"SQLite format 3\0"
"""First bytes of an SQLite file that is not encrypted."""
WANTED = ("sqlcipher3", "argon2", "nacl")
BACKUP = "Put the whole folder back from a backup"


def records(settings: Settings | None) -> list[Finding]:
    """Findings about the records."""
    folder = data_dir() / FOLDER
    found = [*_wanted(settings, folder)]
    key, database = folder / KEY_FILE, folder / DATABASE
    try:
        has_key, has_database = key.is_file(), database.is_file()
        if not has_key and not has_database:
            return [*found, Finding(PART, "ok", "There are no records.")]
        if has_key != has_database:
            here, gone = (key, database) if has_key else (database, key)
            return [
                *found,
                Finding(
                    PART,
                    "wrong",
                    f"{brief(gone)} is not there, and {here.name} is of no use "
                    "without it.",
                    BACKUP,
                ),
            ]
        return [*found, *_files(key, database)]
    except OSError as error:
        text = f"{brief(folder)} cannot be looked into: {error.strerror}."
        return [*found, Finding(PART, "wrong", text, f"ls -ld {typed(folder)}")]


def _wanted(settings: Settings | None, folder: Path) -> list[Finding]:
    found: list[Finding] = []
    how = {
        "ask": "Consultations are saved when you ask for it.",
        "at-start": "The passphrase is asked for at the start (records = at-start).",
        "never": "Records are switched off (records = never): nothing is saved.",
    }
    if settings is not None:
        found.append(Finding(PART, "ok", how[settings.records]))
    missing = [name for name in WANTED if find_spec(name) is None]
    if missing and (folder / DATABASE).exists():
        found.append(
            Finding(
                PART,
                "wrong",
                f"There are records, and {missing[0]}, without which they cannot be "
                "opened, is not installed.",
                "pip install 'medassist[records]'",
            )
        )
    if settings is not None and settings.records_in_keyring:
        found.append(
            Finding(
                PART,
                "note",
                "The system's keyring opens the records: whoever is logged in as you "
                "can read them.",
                "Set records_in_keyring = false in settings.toml to type the "
                "passphrase instead",
            )
        )
    return found


def _files(key: Path, database: Path) -> list[Finding]:
    try:
        cost = read_key_file(key).cost
    except RecordsError as error:
        return [Finding(PART, "wrong", str(error), BACKUP)]
    with open_file(database) as file:
        head = file.read(len(PLAIN))
    if head == PLAIN:
        return [
            Finding(
                PART,
                "wrong",
                f"{brief(database)} is not encrypted: medassist did not write it.",
                "Take it away, and think about who put it there",
            )
        ]
    found = [
        Finding(
            PART,
            "ok",
            f"{brief(database.parent)}: {size(database.stat().st_size)}, encrypted; "
            f"a guess of the passphrase costs {size(cost.memory_kib * 1024)} and "
            f"{cost.passes} passes.",
        )
    ]
    log = Path(f"{database}-wal")
    if log.exists() and log.stat().st_size:
        found.append(
            Finding(
                PART,
                "note",
                "The records are open in a window, or the program ended in the midst "
                "of writing; opening them brings back what was saved.",
            )
        )
    return found
