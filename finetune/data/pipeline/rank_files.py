"""Joins files of the ranks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from finetune.data.pipeline.work_folder import WorkFolder
from medassist.core.files import SHARED_FILE, writing

DROPPED = "dropped"
_CHUNK = 2**20


def joined(file: Path, parts: Iterable[Path]) -> tuple[int, str]:
    """Write the parts one after the other; the bytes, and their SHA-256."""
    return written(file, _chunks(sorted(parts)))


def written(file: Path, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Write the chunks to the disk itself; the bytes, and their SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with writing(file, SHARED_FILE, alone=True) as out:
        for chunk in chunks:
            out.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def dropped_lists(
    work: WorkFolder, folder: Path, steps: Sequence[str]
) -> dict[str, str]:
    """Write what each step took out into a file of `folder`.

    Returns:
        By the step, the file's name with that of its folder.
    """
    lists: dict[str, str] = {}
    folder.mkdir(parents=True)
    for step in steps:
        parts = sorted((work.folder / "dropped" / step).glob("*.jsonl"))
        if parts:
            file = folder / f"{step}.jsonl"
            joined(file, parts)
            lists[step] = f"{folder.name}/{file.name}"
    return lists


def _chunks(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                yield chunk
