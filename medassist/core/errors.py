"""What can go wrong in the engine. Every message is a sentence for the user."""

from __future__ import annotations

from pathlib import Path


class EngineError(Exception):
    """Something failed; the message says what, where, and what to do."""


class ModelFileError(EngineError):
    """A model file cannot be used."""

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


class EngineDied(EngineError):
    """The child process ended; `Engine.start` makes a new one."""


class LoadStopped(EngineError):
    """The user stopped the loading of a pair."""


def file_of(error: EngineError) -> Path | None:
    """The file that an error is about, where it is about one."""
    return error.file if isinstance(error, ModelFileError) else None
