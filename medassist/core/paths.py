"""Where things live on this computer.

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

from medassist.core.files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    end_of_links,
    make_folder,
    require_file,
)

HOME_VARIABLE = "MEDASSIST_HOME"
SHARED_FILE = 0o644


_only_looked_at = False


@contextmanager
def only_looked_at() -> Generator[None]:
    """While it lasts, no folder is made below and no permission is changed.

    For who wants to say how things stand (`medassist doctor`).
    """
    global _only_looked_at
    before, _only_looked_at = _only_looked_at, True
    try:
        yield
    finally:
        _only_looked_at = before


def config_dir() -> Path:
    """The folder of settings.toml; made where it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _private("config")


def data_dir() -> Path:
    """The folder of what the user keeps; made where it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _private("data")


def cache_dir() -> Path:
    """The folder of what can be made again; made where it is not there.

    Raises:
        OSError: it cannot be made.
    """
    return _private("cache")


def write_whole(file: Path, content: str | bytes, mode: int = PRIVATE_FILE) -> None:
    """Write `file`, whole or not at all; through a link, the file that it leads to.

    Args:
        file: its folder must be there.
        content: text is written as UTF-8.
        mode: the file's permissions; by default it is for the user's eyes only.

    Raises:
        OSError: it cannot be written; what stood there before stands there still. So
            it is where that is no file, as `/dev/null` is none.
    """
    data = content.encode() if isinstance(content, str) else content
    file = end_of_links(file)
    if file.exists():
        require_file(file, file.stat().st_mode)
    import tempfile  # costs what the start of the program has no time for

    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(mode)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_new(file: Path, content: str | bytes) -> None:
    """Write a file of the user's own, whole or not at all, and over none (0600).

    Raises:
        FileExistsError: there is one already; it is left as it is.
        OSError: it cannot be written.
    """
    # The name first, so that nobody else takes it meanwhile.
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
    try:
        write_whole(file, content)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


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
