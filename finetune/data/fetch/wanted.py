"""A file of a data set: where it lies, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx2

from finetune.data.sources.archive import refusal
from finetune.errors import FinetuneError
from medassist.core import download
from medassist.core.download import Checksum, Source
from medassist.core.progress import Watcher


@dataclass(frozen=True)
class Wanted:
    """A file to be downloaded."""

    url: str
    file: str
    """Below the folder, with slashes."""
    size: int | None = None
    """Bytes, where the server said so before."""
    checksum: Checksum | None = None
    token: str = ""
    """Sent to the address alone, not to where it redirects; never shown."""


@dataclass(frozen=True)
class Got:
    """A file that is here now."""

    file: str
    url: str
    size: int
    sha256: str
    was_there: bool


def place_of(wanted: Wanted, folder: Path) -> Path:
    """Where a file goes.

    Raises:
        FinetuneError: its name leads out of the folder.
    """
    reason = refusal(wanted.file) if wanted.file else "it has no name"
    if reason:
        raise FinetuneError(
            f"{wanted.url} cannot be stored as {wanted.file!r}: {reason}"
        )
    return folder / wanted.file


def get(client: httpx2.Client, wanted: Wanted, folder: Path, watcher: Watcher) -> Got:
    """Download a file, or take it for done if it is here and as it should be.

    Raises:
        NetworkError: as `medassist.core.download.get` raises it.
        FinetuneError: its name leads out of the folder.
        OSError: it cannot be written.
    """
    source = Source(wanted.url, wanted.size, wanted.checksum, wanted.token)
    got = download.get(client, source, place_of(wanted, folder), watcher)
    return Got(wanted.file, wanted.url, got.size, got.sha256, got.was_there)
