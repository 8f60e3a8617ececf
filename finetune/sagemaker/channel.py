"""Input channels of a job: folders of files under keys that their contents decide.

Equal contents have equal keys, so that code and base are sent once a bucket, and an
upload that broke off goes on with what is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medassist.core.files import sha256_of_file
from medassist.core.progress import Watcher, unwatched


@dataclass(frozen=True)
class ChannelFile:
    """A file of a channel."""

    path: str
    """Path in the channel, with slashes."""
    file: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class InputChannel:
    """An input of a job."""

    name: str
    about: str
    """Description for the user."""
    pieces: tuple[ChannelFile, ...]

    @property
    def size(self) -> int:
        """Size of all files in bytes."""
        return sum(piece.size for piece in self.pieces)

    @property
    def sha256(self) -> str:
        """SHA-256 of the paths and contents."""
        told = "".join(f"{p.path}\0{p.sha256}\n" for p in self.pieces)
        return hashlib.sha256(told.encode()).hexdigest()

    def prefix(self, under: str) -> str:
        """Prefix in the bucket, with a slash at its end."""
        return f"{under}/{self.name}/{self.sha256[:24]}/"


def channel_of(
    name: str, about: str, files: Mapping[str, Path], watcher: Watcher = unwatched
) -> InputChannel:
    """The channel that holds `files`, by their paths in it.

    Links are followed here and never sent as links.

    Raises:
        OSError: a file cannot be read.
    """
    return InputChannel(
        name,
        about,
        tuple(
            ChannelFile(path, file, file.stat().st_size, sha256_of_file(file, watcher))
            for path, file in sorted(files.items())
        ),
    )
