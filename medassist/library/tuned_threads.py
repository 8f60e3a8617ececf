"""Remembers the best number of threads for a model on this computer.

It counts for the very content of the file, the processor, and the build of llama.cpp:
where one of them changes, the default is taken again.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from medassist.core.files import read_bytes, write_whole
from medassist.core.paths import config_dir
from medassist.core.processor import physical_cores
from medassist.core.values import EngineOptions, PairFiles

FILE = "threads.json"
_KNOWN = TypeAdapter(dict[str, int])


def remembered_threads(model: Path) -> int | None:
    """The best number for `model`; `None` if unknown or outdated.

    Reads no file for its hash: one that was not hashed was not tuned either.
    """
    from medassist.library.hashes import known_sha256

    known = _load()
    if not known:
        return None
    sha256 = known_sha256(model)
    found = known.get(_key(sha256)) if sha256 else None
    return found if found and 1 <= found <= (os.cpu_count() or 1) else None


def with_tuned_threads(files: PairFiles, options: EngineOptions) -> EngineOptions:
    """`options` with the best number of threads for the pair's model.

    What the user has chosen stays; so does the default where nothing was found.
    """
    if options.threads is not None:
        return options
    found = remembered_threads(files.files(files.panes[0])[0])
    return replace(options, threads=found) if found else options


def remember_threads(model: Path, threads: int) -> None:
    """Remember the number for `model`.

    Raises:
        OSError: the file cannot be read, or the number not be written.
    """
    from medassist.library.hashes import remembered_sha256

    key = _key(remembered_sha256(model))
    _save({**_load(), key: threads})


def forget_threads(model: Path) -> bool:
    """Forget the number for `model`; returns whether there was one.

    Raises:
        OSError: as for `remember_threads`.
    """
    from medassist.library.hashes import remembered_sha256

    known = _load()
    gone = known.pop(_key(remembered_sha256(model)), None)
    if gone is not None:
        _save(known)
    return gone is not None


def _key(sha256: str) -> str:
    try:
        build = version("llama-cpp-python")
    except PackageNotFoundError:
        build = ""
    return " ".join(
        (sha256, _processor(), str(physical_cores()), str(os.cpu_count()), build)
    )


def _processor() -> str:
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text("ascii", errors="replace")
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _load() -> dict[str, int]:
    try:
        return _KNOWN.validate_json(read_bytes(config_dir() / FILE))
    except (OSError, ValidationError):
        return {}


def _save(known: dict[str, int]) -> None:
    write_whole(config_dir() / FILE, _KNOWN.dump_json(known, indent=1))
