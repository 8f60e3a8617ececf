"""The sha256 of model files: computed once, remembered by size and time of change."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from medassist.core.files import read_bytes, sha256_of_file, write_whole
from medassist.core.paths import cache_dir

MEMORY = "hashes.json"


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: int
    mtime_ns: int
    sha256: str


_KNOWN = TypeAdapter(dict[str, _Known])


def known_sha256(path: Path) -> str | None:
    """The sha256 of the file as it is now, where it was computed before."""
    path = path.resolve()
    known = _load().get(str(path))
    try:
        status = path.stat()
    except OSError:
        return None
    if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return known.sha256
    return None


def remembered_sha256(path: Path) -> str:
    """The sha256 of the file at `path`, as 64 hexadecimal digits.

    A file that has kept its size and its time of change is not read again.

    Raises:
        OSError: the file cannot be read.
    """
    path = path.resolve()
    status = path.stat()
    known = _load().get(str(path))
    if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return known.sha256
    digest = sha256_of_file(path)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
        _remember(
            path,
            _Known(size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=digest),
        )
    return digest


def _load() -> dict[str, _Known]:
    try:
        return _KNOWN.validate_json(read_bytes(cache_dir() / MEMORY))
    except (OSError, ValidationError):
        return {}


def _remember(path: Path, known: _Known) -> None:
    # What cannot be remembered is computed again: a full disk is no error here.
    with contextlib.suppress(OSError):
        table = {**_load(), str(path): known}
        table = {name: k for name, k in table.items() if Path(name).exists()}
        write_whole(cache_dir() / MEMORY, _KNOWN.dump_json(table, indent=1))
