"""Reads and writes results of the gate, with this package's errors."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path

from convert.errors import ConvertError
from convert.gguf.contents import shards_of
from convert.run_card import write_on_card
from medassist.core.card import Card, VerifiedFile
from medassist.core.errors import ModelFileError
from medassist.core.files import sha256_of_file
from medassist.core.proofs import (
    ProofsError,
    Verified,
    proof_of,
    read_proofs,
    write_proof,
)
from medassist.core.remembered_proofs import remember
from medassist.core.run_folder import card_of
from medassist.core.tensors_hash import TensorsHash, hash_of_tensors


class NotVerifiedError(ConvertError):
    """The gate has not seen this very file, or has not passed it."""


def read_verified(
    gguf: Path, hashed: Callable[[Path], str] | None = None
) -> Verified | None:
    """The gate's result for exactly this file; `None` if it was never checked.

    Args:
        gguf: the first file of a split one.
        hashed: gives the sha256 of a file, where somebody knows it already.

    Raises:
        ConvertError: the file cannot be read, or verify.json is broken.
    """
    try:
        return proof_of(gguf, hashed or hash_of)
    except ProofsError as error:
        raise ConvertError(str(error)) from error


def require_verified(gguf: Path, more: str = "") -> Verified:
    """The gate's result for exactly this file; an error unless it passed.

    Args:
        gguf: the first file of a split one.
        more: what follows MODEL in the command that would verify it, where that is
            more than the file.

    Raises:
        NotVerifiedError: it was not verified, was changed since, or did not pass.
        ConvertError: as for `read_verified`.
    """
    found = read_verified(gguf)
    if found is None:
        known = read_proofs(gguf).values()
        changed = any(entry.file == gguf.name for entry in known)
        why = "was changed since it was verified" if changed else "is not verified"
        raise NotVerifiedError(
            f"{gguf} {why}; run: medassist convert verify MODEL "
            f"{more or shlex.quote(gguf.name)}"
        )
    if not found.passed:
        failed = "; ".join(f"{check.name}: {check.said}" for check in found.failed)
        raise NotVerifiedError(
            f"{gguf} did not pass its verification ({failed}); convert it again"
        )
    return found


def record(gguf: Path, found: Verified) -> list[str]:
    """Write `found` to the verify.json beside `gguf`, and to a card.json there.

    Its tensors are remembered, to be known again in Ollama's store. The figures of
    files of the same name that are no more are dropped.

    Returns:
        What could not be written into the card, for the user.

    Raises:
        ConvertError: verify.json is broken, or cannot be written.
    """
    try:
        write_proof(gguf, found)
    except ProofsError as error:
        raise ConvertError(str(error)) from error
    remember(found)
    return _into_card(gguf, found)


def hash_of(file: Path) -> str:
    """The sha256 of `file`.

    Raises:
        ConvertError: it cannot be read.
    """
    try:
        return sha256_of_file(file)
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error


def tensors_of(gguf: Path) -> TensorsHash:
    """Identifies the tensors of `gguf`, all files of a split one, by a hash.

    Raises:
        ConvertError: it cannot be read.
    """
    try:
        return hash_of_tensors(gguf)
    except ModelFileError as error:
        raise ConvertError(str(error)) from error
    except OSError as error:
        raise ConvertError(f"{gguf} cannot be read: {error.strerror}") from error


def hashes_of_parts(gguf: Path) -> dict[str, str]:
    """The sha256 of the further files of a split model, by name."""
    return {part.name: hash_of(part) for part in shards_of(gguf)[1:]}


def _into_card(gguf: Path, found: Verified) -> list[str]:
    figures = {
        f"{check.name}: {name}": value
        for check in found.checks
        for name, value in check.figures.items()
    }
    if found.loss is not None:
        figures |= {name: f.value for name, f in found.loss.figures.items()}
    entry = VerifiedFile(
        sha256=found.sha256,
        passed=found.passed,
        checks={check.name: check.passed for check in found.checks},
        figures={name: value for name, value in figures.items() if isfinite(value)},
        against=found.loss.against if found.loss else None,
    )

    def change(card: Card) -> Card:
        verified = {**card.verified, found.file: entry}
        return replace(card, verified=verified)

    return write_on_card(card_of(gguf), change)
