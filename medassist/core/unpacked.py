"""Records which GGUF a Hugging Face folder was unpacked from.

Whoever trains on a GGUF trains on its weights as floating-point numbers in such a
folder. What is made there belongs to the GGUF itself, which is named here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medassist.core.errors import MedassistError
from medassist.core.files import SHARED_FILE, write_whole

UNPACKED = "unpacked.json"
SUFFIX = ".gguf"


class UnpackedError(MedassistError):
    """The file that names the GGUF is broken."""


@dataclass(frozen=True)
class Unpacked:
    """Record of the GGUF that a folder was made of."""

    file: str
    """Its path when it was unpacked; the first file of a split one."""
    sha256: dict[str, str]
    """Hashes of its files, by name."""
    edition: int
    """Version of the way to unpack: a folder of an older one is made again."""


def is_gguf(name: str | Path) -> bool:
    """Whether `name` is that of a GGUF, and neither a folder's nor a hub id."""
    path = Path(name).expanduser()
    return path.suffix.lower() == SUFFIX and not path.is_dir()


def read_unpacked(folder: Path) -> Unpacked | None:
    """Reads which GGUF `folder` was made of; `None` for a folder of another kind.

    Raises:
        UnpackedError: the file that says so is broken.
    """
    from medassist.core.validated import NotOfThisKindError, from_json

    file = folder / UNPACKED
    try:
        return from_json(Unpacked, file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, NotOfThisKindError) as error:
        raise UnpackedError(
            f"{file} does not say which GGUF the folder was made of ({error}); remove "
            "the folder, and it is made again"
        ) from error


def write_unpacked(folder: Path, unpacked: Unpacked) -> None:
    """Write down which GGUF `folder` was made of."""
    from medassist.core.validated import to_json

    write_whole(folder / UNPACKED, to_json(unpacked) + "\n", SHARED_FILE)
