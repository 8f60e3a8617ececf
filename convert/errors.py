"""What can go wrong in a conversion. Every message is a sentence for the user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from medassist.core.errors import EngineError, MedassistError


class ConvertError(MedassistError):
    """Something cannot be converted; the message says what, why, and what to do."""


class NeedsMerging(ConvertError):
    """A GGUF adapter cannot hold this adapter; merged into its base it is exact."""


@contextmanager
def in_our_words() -> Generator[None]:
    """Turn the engine's errors into this package's; both are sentences already."""
    try:
        yield
    except EngineError as error:
        raise ConvertError(str(error)) from error
