"""Which files of a folder belong to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetune.errors import FinetuneError
from medassist.core.compressed import ENDINGS

TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
COMPRESSED = ("", *ENDINGS)


def compressed(*suffixes: str) -> tuple[str, ...]:
    """`suffixes`, each also with the endings of compressed files."""
    return tuple(suffix + more for suffix in suffixes for more in COMPRESSED)


def inputs(root: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    """The file `root`, or the files under it whose names end in one of `suffixes`.

    Args:
        root: a file is taken whatever its name is; of a folder, hidden files and
            folders are passed over.
        suffixes: in lower case; the case of the names is of no matter.
        what: the data set, for errors.

    Returns:
        Sorted by their paths, so that every run deals them out in the same way.

    Raises:
        FinetuneError: there is no such file or folder, or nothing in it fits.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise FinetuneError(f"{root} is not there; {what} is expected at that place")
    wanted = tuple(suffixes)
    found = [
        file
        for file in root.rglob("*")
        if file.name.lower().endswith(wanted)
        and not any(part.startswith(".") for part in file.relative_to(root).parts)
        and file.is_file()
    ]
    if not found:
        raise FinetuneError(
            f"{root} holds no file of {what}: expected names that end in "
            f"{', '.join(wanted)}"
        )
    return sorted(found)
