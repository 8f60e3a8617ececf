"""The tensors that the gate has passed on this computer, wherever their file lies.

A verify.json lies beside the file that it speaks of. A model that was published from a
run's folder stands in Ollama's store under another sha256 and without one, and the
library need not know that folder: its tensors tell what it is.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from medassist.core.files import make_folder, read_bytes, write_whole
from medassist.core.paths import data_dir, data_place
from medassist.core.proofs import Verified
from medassist.core.tensors_hash import TensorsHash
from medassist.core.validated import NotOfThisKindError, from_json, to_json

FOLDER_NAME = "proven"
"""In the data folder: a file for each model, called by the hash of its tensors."""
LARGEST = 4096  # bytes of such a file


@dataclass(frozen=True)
class RememberedProof:
    """The tensors of a verified file, and its name."""

    file: str
    tensors: TensorsHash


def remember(found: Verified) -> None:
    """Keep that the tensors of `found` passed; forget them where they did not.

    The proof itself is in verify.json: what cannot be written here is no error.
    """
    if found.tensors is None:
        return
    with contextlib.suppress(OSError):
        kept = data_dir() / FOLDER_NAME / f"{found.tensors.sha256}.json"
        if found.passed:
            make_folder(kept.parent)
            write_whole(
                kept, to_json(RememberedProof(found.file, found.tensors)) + "\n"
            )
        else:
            kept.unlink(missing_ok=True)


def remembered() -> dict[TensorsHash, str]:
    """What was kept: the names of the verified files, by their tensors."""
    found: dict[TensorsHash, str] = {}
    for kept in sorted((data_place() / FOLDER_NAME).glob("*.json")):
        with contextlib.suppress(OSError, NotOfThisKindError):
            if kept.stat().st_size <= LARGEST:
                proven = from_json(RememberedProof, read_bytes(kept))
                found[proven.tensors] = proven.file
    return found
