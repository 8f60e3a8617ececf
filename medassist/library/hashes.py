"""The sha256 of model files and of their tensors, cached by size and time of change."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

from medassist.core.files import read_bytes, write_whole
from medassist.core.paths import cache_dir
from medassist.core.seen_file import SeenFile, seen
from medassist.core.tensors_hash import hash_of_tensors

MEMORY = "hashes.json"
TENSORS_MEMORY = "tensor_hashes.json"


def known_sha256(path: Path) -> str | None:
    """The cached sha256 of a file, if it is still valid."""
    return _known(path, MEMORY)


def known_tensors_sha256(path: Path) -> str | None:
    """The cached sha256 of the tensors of a GGUF, if it is still valid."""
    return _known(path, TENSORS_MEMORY)


def remembered_sha256(path: Path) -> str:
    """The sha256 of the file at `path`, as 64 hexadecimal digits.

    A file that has kept its size and its time of change is not read again.

    Raises:
        OSError: the file cannot be read.
    """
    return _remembered(path, MEMORY, None)


def remembered_tensors_sha256(path: Path) -> str:
    """The sha256 of the tensors of the GGUF at `path`, which is one file.

    Raises:
        ModelFileError, OSError: it is no GGUF, or cannot be read.
    """
    return _remembered(path, TENSORS_MEMORY, lambda file: hash_of_tensors(file).sha256)


def _known(path: Path, memory: str) -> str | None:
    path = path.resolve()
    known = _load(memory).get(str(path))
    try:
        return known.sha256 if known and known.is_still(path.stat()) else None
    except OSError:
        return None


def _remembered(path: Path, memory: str, hashed: Callable[[Path], str] | None) -> str:
    path = path.resolve()
    known = _load(memory).get(str(path))
    now = seen(path, known, hashed)
    if now is not known:
        _remember(path, now, memory)
    return now.sha256


def _load(memory: str) -> dict[str, SeenFile]:
    # Nothing here is worth a complaint: what cannot be read is computed again.
    try:
        table: object = json.loads(read_bytes(cache_dir() / memory))
    except (OSError, ValueError):
        return {}
    if not isinstance(table, dict):
        return {}
    found = cast("dict[str, object]", table)
    return {name: file for name, row in found.items() if (file := _file(row))}


def _file(row: object) -> SeenFile | None:
    match row:
        case {"size": int(size), "mtime_ns": int(changed), "sha256": str(sha256)}:
            return SeenFile(size, changed, sha256)
        case _:
            return None


def _remember(path: Path, now: SeenFile, memory: str) -> None:
    # What cannot be remembered is computed again: a full disk is no error here.
    with contextlib.suppress(OSError):
        table = {**_load(memory), str(path): now}
        rows = {
            name: {"size": f.size, "mtime_ns": f.changed_ns, "sha256": f.sha256}
            for name, f in table.items()
            if Path(name).exists()
        }
        write_whole(cache_dir() / memory, json.dumps(rows, indent=1))
