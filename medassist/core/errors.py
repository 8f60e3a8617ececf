"""Errors of the bottom layer. Every message is a sentence for the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

CauseOfDeath = Literal["memory", "file", "program", "unknown"]
"""Why a process of models ended: too little memory, most likely; a damaged file; the
program was replaced on the disk."""


class MedassistError(Exception):
    """Base of all errors whose message is a sentence for the user.

    Attributes:
        exit_code: with which a command ends that meets it.
    """

    exit_code: int = 1


class EngineError(MedassistError):
    """Something failed; the message says what, where, and what to do."""


class ModelFileError(EngineError):
    """A model file cannot be used."""

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


class QuestionRefused(EngineError):
    """A model cannot be asked this as it stands; its process lives on."""


class EngineDied(EngineError):
    """The child process ended; `Engine.start` makes a new one.

    Attributes:
        cause: why, as far as that can be told.
    """

    def __init__(self, message: str, cause: CauseOfDeath = "unknown") -> None:
        super().__init__(message)
        self.cause: CauseOfDeath = cause


class LoadStopped(EngineError):
    """The user stopped the loading of a pair."""


class NetworkError(MedassistError):
    """A download or a publication that was asked for failed."""


class UnnamedHost(NetworkError):
    """A server sends us on to `host`, which nobody named."""

    def __init__(self, message: str, host: str) -> None:
        super().__init__(message)
        self.host = host


class SettingsError(MedassistError):
    """The settings cannot be read or written; the message says where and why."""

    exit_code = 2


@contextmanager
def told_as(kind: type[Exception]) -> Generator[None]:
    """Convert errors raised in the block to the error class of a package."""
    try:
        yield
    except NetworkError as error:
        raise kind(str(error)) from error


def file_of(error: EngineError) -> Path | None:
    """The file that an error is about, where it is about one."""
    return error.file if isinstance(error, ModelFileError) else None
