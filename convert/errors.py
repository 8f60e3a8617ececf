"""Errors of conversions. Every message is a sentence for the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from medassist.core.errors import EngineError, MedassistError


class ConvertError(MedassistError):
    """Something cannot be converted; the message says what, why, and what to do."""


class NeedsMerging(ConvertError):
    """A GGUF adapter cannot hold this adapter; merging it would be exact."""


@contextmanager
def in_our_words() -> Generator[None]:
    """Convert the engine's errors to this package's."""
    try:
        yield
    except EngineError as error:
        raise ConvertError(str(error)) from error
