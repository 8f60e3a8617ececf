"""verify.json: results of the converter's gate, stored beside the files checked.

An entry goes by the sha256 of its file, so that a file that was changed or replaced is
an unverified one, whatever its name. What a later version adds to an entry is passed
over when it is read, and kept when another entry is written.

This is the only reader and writer of that file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from medassist.core.card import CardError, read_card
from medassist.core.files import SHARED_FILE, read_bytes, write_whole
from medassist.core.run_folder import LARGEST_PAPER, VERIFY, card_of
from medassist.core.tensors_hash import TensorsHash
from medassist.core.validated import NotOfThisKindError, as_json, from_json

Verdict = Literal[
    "verified", "failed", "not verified", "not known yet", "verified (tensors)"
]


class ProofsError(Exception):
    """A verify.json cannot be read or written; the message says which and why."""


class _ProofPart:
    # A model that gives no numbers fails, and its figures must be writable.
    __pydantic_config__: ClassVar[dict[str, str]] = {"ser_json_inf_nan": "strings"}


@dataclass(frozen=True, kw_only=True)
class Check(_ProofPart):
    """One check: what was compared, whether it passed, and a sentence about it."""

    name: str
    passed: bool
    said: str = ""
    figures: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Estimate(_ProofPart):
    """A figure of llama-perplexity's with its standard error."""

    value: float
    error: float | None = None
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class QuantizationLoss(_ProofPart):
    """Cost of quantizing; the figures have the names of llama-perplexity's lines.

    Attributes:
        against: the name of the file that it was measured against.
        against_sha256: and its hash.
        text: the name of the text's file, or "built-in".
    """

    against: str
    against_sha256: str
    text: str
    text_sha256: str
    tokens: int
    chunks: int
    context: int
    figures: dict[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class Verified(_ProofPart):
    """The gate's result for one file.

    Attributes:
        kind: a model, or an adapter on one.
        file: its name.
        parts: the sha256 of the further files of a split model, by name.
        tensors: what identifies its tensors in a file that was written anew; an
            earlier version did not write it.
        model: what it was made from: the name of the Hugging Face folder (the
            adapter's, for an adapter), or those of the two GGUFs that were merged.
        model_sha256: of that folder's config, weights and tokenizer, or of those two.
        base_sha256: of the GGUF that an adapter was verified on, or merged into.
        adapter_sha256: of the GGUF adapter that was merged.
        base_model_sha256: of the Hugging Face folder of that base.
        peak_mib: the most memory that this process and the largest of its children
            have held, in MiB; mapped pages of files count in.
    """

    kind: Literal["model", "adapter"]
    file: str
    sha256: str
    parts: dict[str, str] = field(default_factory=dict[str, str])
    tensors: TensorsHash | None = None
    quantization: str
    model: str = ""
    model_sha256: str = ""
    base_sha256: str | None = None
    base_model_sha256: str | None = None
    adapter_sha256: str | None = None
    checks: tuple[Check, ...]
    loss: QuantizationLoss | None = None
    seconds: float = 0.0
    peak_mib: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def passed(self) -> bool:
        """Whether all checks hold."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that do not."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True, kw_only=True)
class _ProofTable(_ProofPart):
    """All of a verify.json, by the sha256 of its files."""

    version: Literal[1]
    files: dict[str, Verified] = field(default_factory=dict[str, Verified])


def read_proofs(gguf: Path) -> dict[str, Verified]:
    """The entries of the verify.json beside `gguf`, by sha256; empty without one.

    Raises:
        ProofsError: it cannot be read, or is none of this version.
    """
    content = _content(gguf.parent / VERIFY)
    return {} if content is None else _table(gguf.parent / VERIFY, content).files


def proof_of(gguf: Path, hashed: Callable[[Path], str]) -> Verified | None:
    """The gate's result for exactly this file; `None` if it was never checked.

    Args:
        gguf: the first file of a split one.
        hashed: gives the sha256 of a file.

    Raises:
        ProofsError: as for `read_proofs`.
    """
    entry = read_proofs(gguf).get(hashed(gguf))
    return entry if entry and _whole(gguf, entry, hashed) else None


def write_proof(gguf: Path, found: Verified) -> None:
    """Write `found` into the verify.json beside `gguf`.

    The figures of files of the same name that are no more are dropped.

    Raises:
        ProofsError: what is there is broken, or cannot be written.
    """
    file = gguf.parent / VERIFY
    content = _content(file)
    files: dict[str, Any] = {}
    if content is not None:
        known = _table(file, content).files
        # As they stand there: with what a later version knows of them.
        raw = json.loads(content).get("files", {})
        files = {sha: raw[sha] for sha, e in known.items() if e.file != found.file}
    files[found.sha256] = as_json(found)
    try:
        text = json.dumps({"version": 1, "files": files}, indent=2, ensure_ascii=False)
        write_whole(file, text + "\n", SHARED_FILE)
    except OSError as error:
        raise ProofsError(f"{file} cannot be written: {error.strerror}") from error


def verdict(gguf: Path, hashed: Callable[[Path], str | None]) -> Verdict:
    """The gate's verdict on exactly this file.

    A card beside the file says it too, and travels where verify.json does not.

    Args:
        gguf: the first file of a split one.
        hashed: the sha256 of a file where it is known by now, else `None`. It is asked
            only where there is an entry that it could decide about.
    """
    try:
        table = read_proofs(gguf)
    except ProofsError:
        table = {}
    if not table:
        return _by_card(gguf, hashed)
    sha256 = hashed(gguf)
    if sha256 is None:
        return "not known yet"
    entry = table.get(sha256)
    if entry is None:
        return _by_card(gguf, hashed)
    whole = _whole(gguf, entry, hashed)
    if whole is None:
        return "not known yet"
    if not whole:
        return "not verified"
    return "verified" if entry.passed else "failed"


def _whole(
    gguf: Path, entry: Verified, hashed: Callable[[Path], str | None]
) -> bool | None:
    """Whether the further parts are those of `entry`; `None` where it is not known."""
    for name, wanted in entry.parts.items():
        part = gguf.with_name(Path(name).name)
        found = hashed(part) if part.is_file() else ""
        if found != wanted:
            return None if found is None else False
    return True


def _by_card(gguf: Path, hashed: Callable[[Path], str | None]) -> Verdict:
    card = card_of(gguf)
    if card is None:
        return "not verified"
    try:
        found = read_card(card).verified.get(gguf.name)
    except CardError:
        return "not verified"
    if found is None:
        return "not verified"
    sha256 = hashed(gguf)
    if sha256 is None:
        return "not known yet"
    if sha256 != found.sha256:
        return "not verified"
    return "verified" if found.passed else "failed"


def _content(file: Path) -> bytes | None:
    try:
        if file.stat().st_size > LARGEST_PAPER:
            raise ProofsError(_not_ours(file))
        return read_bytes(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProofsError(f"{file} cannot be read: {error.strerror}") from error


def _table(file: Path, content: bytes) -> _ProofTable:
    try:
        return from_json(_ProofTable, content)
    except NotOfThisKindError as error:
        raise ProofsError(_not_ours(file)) from error


def _not_ours(file: Path) -> str:
    return (
        f"{file} is not one that this version wrote; take it away and verify the "
        "files beside it again"
    )
