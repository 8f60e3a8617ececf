"""Converts errors of the Hub's library into sentences."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from medassist.core.errors import NetworkError
from medassist.core.hub import TOKEN_VARIABLE, reason, status_of
from medassist.library.errors import LibraryError

MISSING = (
    "Downloading needs the package huggingface_hub, which the plain install leaves "
    "out. Install it with: pip install 'medassist[pull]' (in a clone: make dev)."
)


def require_library() -> None:
    """Check that the Hub's library is installed, before asking the user anything.

    Raises:
        LibraryError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("huggingface_hub") is None:
        raise LibraryError(MISSING)


@contextmanager
def sentences(what: str, host: str) -> Generator[None]:
    """Convert errors of the Hub's library; `what` was wanted of `host`.

    Raises:
        LibraryError: in place of every error of the library's.
    """
    try:
        yield
    except LibraryError:
        raise
    except NetworkError as error:
        raise LibraryError(f"{what}: {error}.") from error
    except Exception as error:
        module = type(error).__module__.split(".")[0]
        if isinstance(error, OSError) and error.errno:
            raise LibraryError(
                f"{what}: {error.filename or ''} {error.strerror or reason(error)}. "
                "What was fetched is kept; repeat the command to go on."
            ) from None
        if module not in ("huggingface_hub", "httpx2", "httpcore2", "builtins"):
            raise
        raise LibraryError(_sentence(what, host, error)) from None


def _sentence(what: str, host: str, error: Exception) -> str:
    status = status_of(error)
    match status:
        case 401 | 403:
            return (
                f"{host} does not give {what} ({status}): it is not there, or it is "
                "closed. If its page asks for a consent, give it there, and set a "
                f"token in {TOKEN_VARIABLE}."
            )
        case 404:
            return f"{host} has no {what}. Look at the spelling, also of capitals."
        case int():
            return f"{host} answers {status} for {what}. Repeat the command later."
        case _:
            return (
                f"{host} could not be asked for {what} ({reason(error)}). What was "
                "fetched is kept; repeat the command to go on."
            )
