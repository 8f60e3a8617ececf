"""Folders for settings, data and cache on this computer.

Settings, data and caches are the user's own: folders are made with 0700, so that
nobody else on the computer can look into them. `MEDASSIST_HOME` moves all of them
under one folder, for tests and for a stick that is carried about.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from medassist.core.files import PRIVATE_FOLDER, make_folder

HOME_VARIABLE = "MEDASSIST_HOME"
SETTINGS = "settings.toml"
"""Name of the file in `config_dir()`."""

_only_looked_at = False


@contextmanager
def only_looked_at() -> Generator[None]:
    """Context in which no folder is created and no permission changed.

    For who wants to say how things stand (`medassist doctor`).
    """
    global _only_looked_at
    before, _only_looked_at = _only_looked_at, True
    try:
        yield
    finally:
        _only_looked_at = before


def config_dir() -> Path:
    """The folder of settings.toml; created if missing.

    Raises:
        OSError: it cannot be made.
    """
    return _private("config")


def data_dir() -> Path:
    """The folder of the user's data; created if missing.

    Raises:
        OSError: it cannot be made.
    """
    return _private("data")


def data_place() -> Path:
    """Path of the data folder, for callers that only read; it is not created."""
    return _home("data")


def cache_dir() -> Path:
    """The folder of data that can be made again; created if missing.

    Raises:
        OSError: it cannot be made.
    """
    return _private("cache")


def _private(kind: str) -> Path:
    folder = _home(kind)
    if _only_looked_at:
        return folder
    make_folder(folder)
    if sys.platform != "win32" and folder.stat().st_mode & 0o077:
        folder.chmod(PRIVATE_FOLDER)
    return folder


def _home(kind: str) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser().absolute() / kind
    import platformdirs

    match kind:
        case "config":
            return platformdirs.user_config_path("medassist", appauthor=False)
        case "cache":
            return platformdirs.user_cache_path("medassist", appauthor=False)
        case _:
            return platformdirs.user_data_path("medassist", appauthor=False)
