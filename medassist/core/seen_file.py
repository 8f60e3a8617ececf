"""A file's hash with its size and time, so an unchanged file isn't hashed again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medassist.core.files import sha256_of_file


@dataclass(frozen=True)
class SeenFile:
    """A file's hash, with the size and time by which a change is noticed.

    Attributes:
        size: In bytes.
        changed_ns: Its time of change.
        sha256: Of its bytes, as 64 hexadecimal digits.
    """

    size: int
    changed_ns: int
    sha256: str

    def is_still(self, status: os.stat_result) -> bool:
        """Whether a file of this `status` has the same size and time of change."""
        return (self.size, self.changed_ns) == (status.st_size, status.st_mtime_ns)


def seen(
    file: Path,
    before: SeenFile | None = None,
    hashed: Callable[[Path], str] | None = None,
) -> SeenFile:
    """Hash `file`, unless it is unchanged since `before`.

    Size and time are those from before it is read: of a file that changes meanwhile
    they are no longer true, and the next look reads it again. `hashed` gives another
    hash than that of all its bytes.

    Raises:
        OSError: it cannot be read.
    """
    status = file.stat()
    if before is not None and before.is_still(status):
        return before
    found = (hashed or sha256_of_file)(file)
    return SeenFile(status.st_size, status.st_mtime_ns, found)
