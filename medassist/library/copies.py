"""Copies models into the program's own folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from medassist.core.files import (
    copy_whole,
    make_folder,
    read_bytes,
    write_whole,
)
from medassist.core.gguf import shards
from medassist.core.progress import Watcher
from medassist.core.run_folder import VERIFY, card_of
from medassist.library.errors import LibraryError
from medassist.library.registry import models_dir

SUFFIX = ".gguf"


def copied(path: Path, name: str, watcher: Watcher) -> Path:
    """Copy the model at `path` into a new folder named like `name`.

    Raises:
        LibraryError: there is no room, or it cannot be written; nothing is left behind.
    """
    parts = shards(path)
    folder, number = models_dir() / name, 1
    while folder.exists():  # of a model that was forgotten and not deleted
        number += 1
        folder = models_dir() / f"{name}-{number}"
    made: list[Path] = []
    try:
        needed = sum(part.stat().st_size for part in parts)
        free = shutil.disk_usage(models_dir()).free
        if needed > free:
            raise LibraryError(
                f"{path} has {needed:,} bytes and {models_dir()} has room for "
                f"{free:,}. Import it without copying, or make room."
            )
        make_folder(folder)
        for part in parts:
            made.append(folder / part.name)
            copy_whole(part, made[-1], told=watcher)
    except OSError as error:
        _forget(made)
        tidy(folder)
        raise LibraryError(
            f"{path} cannot be copied to {folder}: {error.strerror or error}."
        ) from None
    except BaseException:
        _forget(made)
        tidy(folder)
        raise
    return folder / path.name


def _forget(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def copy_papers(source: Path, copied: Path) -> None:
    """Copy card.json and verify.json along with a model."""
    for paper in (card_of(source), source.parent / VERIFY):
        if paper is not None and paper.is_file():
            target = copied.parent / paper.name
            write_whole(target, read_bytes(paper))


def tidy(folder: Path) -> None:
    """Delete a folder of ours that holds no model any more."""
    if folder == models_dir() or not folder.is_relative_to(models_dir()):
        return
    if any(folder.glob(f"*{SUFFIX}")):
        return
    shutil.rmtree(folder, ignore_errors=True)
