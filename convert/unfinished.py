"""Hidden temporary folders beside a target, used by one process at a time.

What a kill leaves is taken away by the next call for the same target: it is known by
a mark with the target's name in it, and left alone while somebody holds the mark.
The system lets go of it when its holder ends, however that is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from medassist.core.locks import HeldError, Lock

MARK = "unfinished"


@contextmanager
def folder_beside(target: Path) -> Generator[Path]:
    """Create a hidden folder beside `target`, to be renamed to it.

    What is in it at the end is removed with it, and so is what a killed call for the
    same target left.

    Raises:
        OSError: the folder cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with _mark(folder, target):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(target: Path) -> None:
    """Delete hidden folders for `target` that no process uses."""
    try:
        found = [
            folder
            for folder in target.parent.iterdir()
            if folder.name.startswith(f".{target.name}.")
        ]
    except OSError:
        return
    for folder in found:
        mark = folder / MARK
        try:
            if folder.is_symlink() or mark.is_symlink() or not mark.is_file():
                continue
            if mark.read_bytes() != os.fsencode(target.name):
                continue
            with _mark(folder, target) as mine:
                if mine.alone:
                    shutil.rmtree(folder, ignore_errors=True)
        except (HeldError, OSError):
            continue


def _mark(folder: Path, target: Path) -> Lock:
    return Lock(folder / MARK, passing=True, says=os.fsencode(target.name))
