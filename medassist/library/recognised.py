"""Recognises a verified model that Ollama wrote anew, by the hash of its tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from medassist.core.errors import ModelFileError
from medassist.core.proofs import ProofsError, Verdict, read_proofs
from medassist.core.remembered_proofs import remembered
from medassist.core.tensors_hash import TensorsHash, size_of_tensors
from medassist.library.hashes import known_tensors_sha256, remembered_tensors_sha256
from medassist.library.registry import Registry


@dataclass(frozen=True)
class ProvenTensors:
    """The tensors of all files that the gate has passed.

    Attributes:
        files: Names of the files, by what identifies their tensors.
    """

    files: dict[TensorsHash, str] = field(default_factory=dict[TensorsHash, str])


def proven_tensors(registry: Registry) -> ProvenTensors:
    """Collects what the proofs on this computer say of tensors.

    Those beside the user's own models, and what the gate has passed anywhere here. A
    proof of an earlier version says nothing of them, and a broken verify.json is told
    where its own models are used.
    """
    own = (m.path for m in registry.models.values() if m.origin != "ollama")
    beside = {
        tensors: name
        for folder in _one_of_each_folder(own)
        for tensors, name in _proven_beside(folder)
    }
    return ProvenTensors(remembered() | beside)


def recognise(path: Path, proven: ProvenTensors, *, read: bool) -> tuple[Verdict, str]:
    """The verdict on a file by its tensors, and the name of the verified file.

    Args:
        path: the file.
        proven: what is verified.
        read: read the file where its header is like that of a verified one; else it
            is not known yet, unless it was read before.
    """
    try:
        size = size_of_tensors(path) if proven.files else (0, 0)
        alike = {t.sha256: f for t, f in proven.files.items() if _size(t) == size}
        if not alike:
            return "not verified", ""
        found = (remembered_tensors_sha256 if read else known_tensors_sha256)(path)
    except (ModelFileError, OSError):
        return "not verified", ""
    if found is None:
        return "not known yet", ""
    return ("verified (tensors)", alike[found]) if found in alike else _NOT


_NOT: tuple[Verdict, str] = ("not verified", "")


def _size(tensors: TensorsHash) -> tuple[int, int]:
    return tensors.count, tensors.bytes


def _one_of_each_folder(files: Iterable[Path]) -> Iterable[Path]:
    return {file.parent: file for file in files}.values()


def _proven_beside(file: Path) -> list[tuple[TensorsHash, str]]:
    try:
        known = read_proofs(file).values()
    except ProofsError:
        return []
    return [(p.tensors, p.file) for p in known if p.passed and p.tensors]
