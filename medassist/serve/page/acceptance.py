"""Keeps who has accepted the intended use, and in which version: once a user."""

from __future__ import annotations

from threading import Lock

from pydantic import BaseModel, ConfigDict, ValidationError

from medassist.core.files import make_folder, read_bytes, write_whole
from medassist.core.paths import data_dir, data_place
from medassist.serve.errors import ServeError
from medassist.serve.users import FOLDER

FILE = "intended_use.json"
MOST_BYTES = 1024 * 1024
_writing = Lock()


class _AcceptanceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    accepted: dict[str, int] = {}


def accepted(user: str) -> int:
    """The version that `user` has accepted; 0: none, or none that can be read.

    What cannot be read is asked for again: that harms nobody.
    """
    return _read().accepted.get(user, 0)


def accept(user: str, version: int) -> None:
    """Remember that `user` has accepted `version`. Blocks: for a thread.

    Raises:
        ServeError: it cannot be written.
    """
    file = data_place() / FOLDER / FILE
    with _writing:  # two may accept at once
        known = _read()
        known.accepted[user] = version
        try:
            make_folder(data_dir() / FOLDER)
            write_whole(file, known.model_dump_json(indent=2) + "\n")
        except OSError as error:
            sentence = f"{file}: it cannot be written ({error.strerror})."
            raise ServeError(sentence) from None


def _read() -> _AcceptanceFile:
    file = data_place() / FOLDER / FILE
    try:
        if file.stat().st_size > MOST_BYTES:
            return _AcceptanceFile()
        return _AcceptanceFile.model_validate_json(read_bytes(file))
    except (OSError, ValidationError):
        return _AcceptanceFile()
