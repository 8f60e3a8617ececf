"""Finds the files of a folder that belong to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetune.data.sources.foreign_files import refuse_foreign
from finetune.data.sources.packed import ARCHIVES, member_names
from finetune.errors import FinetuneError
from medassist.core.compressed import ENDINGS

DATA = (
    *(".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather"),
    *(".xlsx", ".xlsm", ".xml", ".nxml", ".txt", ".text", ".md", ".yaml", ".yml"),
)
"""Endings of files that data sets come in; each can be compressed."""
BESIDE = frozenset(
    (
        *("state.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"),
        *("dataset-metadata.json", "croissant.json"),
    )
)
"""Files that `datasets` and download sites put beside the data."""
COMPRESSED = ("", *ENDINGS)


def compressed(*suffixes: str) -> tuple[str, ...]:
    """`suffixes`, each also with the endings of compressed files."""
    return tuple(suffix + more for suffix in suffixes for more in COMPRESSED)


def inputs(root: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    """The file `root`, or the files under it whose names end in one of `suffixes`.

    Where a folder holds none, its archives that do are taken: a download that nobody
    has unpacked.

    Args:
        root: a file is taken whatever its name is; of a folder, hidden files and
            folders are passed over.
        suffixes: in lower case; the case of the names is of no matter.
        what: the data set, for errors.

    Returns:
        Sorted by their paths, so that every run deals them out in the same way.

    Raises:
        FinetuneError: there is no such file or folder, nothing in it fits, or the file
            is of another program.
    """
    if root.is_file():
        if not root.name.lower().endswith(tuple(suffixes)):
            refuse_foreign(root)
        return [root]
    if not root.is_dir():
        raise FinetuneError(f"{root} is not there; {what} is expected at that place")
    wanted = tuple(suffixes)
    every = [
        file
        for file in root.rglob("*")
        if file.name.lower().endswith((*wanted, *ARCHIVES))
        and file.name.lower() not in BESIDE
        and not any(part.startswith(".") for part in file.relative_to(root).parts)
        and file.is_file()
    ]
    found = [file for file in every if file.name.lower().endswith(wanted)]
    found = found or [file for file in every if _holds(file, wanted)]
    if not found:
        raise FinetuneError(
            f"{root} holds no file of {what}: expected names that end in "
            f"{', '.join(wanted)}"
        )
    return sorted(found)


def _holds(file: Path, wanted: tuple[str, ...]) -> bool:
    """Whether an archive has a file of that kind; one that is broken may have."""
    try:
        return any(name.lower().endswith(wanted) for name in member_names(file))
    except FinetuneError:
        return True  # what reads it tells what is wrong with it
