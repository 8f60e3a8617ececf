"""One hash for all tensors of a GGUF, whatever stands around them.

An Ollama server writes a GGUF anew when it makes a model of it: other metadata, other
places, one file in the place of several; the tensors stay byte for byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from medassist.core.errors import ModelFileError
from medassist.core.files import open_file
from medassist.core.gguf import shards
from medassist.core.gguf_reader import HeaderReader, TensorPlace

PIECE = 1 << 20


@dataclass(frozen=True)
class TensorsHash:
    """Hash that identifies the tensors of a model.

    Attributes:
        count: How many there are.
        bytes: Of all together.
        sha256: Of them in the order of their names, each behind its name, the number
            of its type, and its shape with the length of a row first.
    """

    count: int
    bytes: int
    sha256: str


def size_of_tensors(path: Path) -> tuple[int, int]:
    """Counts the tensors of the model at `path`, and their bytes; reads headers alone.

    Raises:
        ModelFileError: a file is no whole GGUF, or has a type that is not known here.
        OSError: it cannot be read.
    """
    places = [place for _, place in _places(path)]
    return len(places), sum(place.bytes for place in places)


def hash_of_tensors(path: Path) -> TensorsHash:
    """The hash of the tensors of the model at `path`, all files of a split one.

    Raises:
        ModelFileError, OSError: as for `size_of_tensors`.
    """
    digest = hashlib.sha256()
    total = 0
    places = sorted(_places(path), key=lambda found: found[1].name)
    for file, place in places:
        head = repr((place.name, place.type, place.shape, place.bytes)).encode()
        digest.update(len(head).to_bytes(8, "little") + head)
        total += place.bytes
        with open_file(file) as opened:
            opened.seek(place.start)
            left = place.bytes
            while left:
                piece = opened.read(min(PIECE, left))
                if not piece:
                    raise ModelFileError(f"{file}: ends within {place.name!r}.", file)
                digest.update(piece)
                left -= len(piece)
    return TensorsHash(len(places), total, digest.hexdigest())


def _places(path: Path) -> list[tuple[Path, TensorPlace]]:
    found: list[tuple[Path, TensorPlace]] = []
    for file in shards(path):
        with open_file(file) as opened:
            contents = HeaderReader(opened, file, ()).contents()
        if len(contents.places) < contents.tensors:
            raise ModelFileError(
                f"{file}: holds tensors of a type that this version does not know, so "
                "they have no hash.",
                file,
            )
        found += [(file, place) for place in contents.places]
    return found
