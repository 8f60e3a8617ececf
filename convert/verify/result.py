"""verify.json: what the gate found, beside the files that it looked at.

An entry goes by the sha256 of its file, so that a file that was changed or replaced
is an unverified one, whatever its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from convert.errors import ConvertError
from convert.gguf.facts import shards_of
from convert.run_card import card_of, write_on_card
from medassist.core.card import Card, VerifiedFile
from medassist.core.files import SHARED_FILE, sha256_of_file, write_whole

VERIFY_FILE = "verify.json"


class _Value(BaseModel):
    # A model that gives no numbers fails, and its figures must be writable.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Check(_Value):
    """One check: what was compared, whether it holds, and the sentence that says so."""

    name: str
    passed: bool
    said: str
    figures: dict[str, float] = {}


class Estimate(_Value):
    """A figure of llama-perplexity's with its standard error."""

    value: float
    error: float | None = None
    unit: str = ""


class QuantizationLoss(_Value):
    """What quantizing cost; the figures go by the names of llama-perplexity's lines.

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


class Verified(_Value):
    """What the gate found about one file.

    Attributes:
        kind: a model, or an adapter on one.
        file: its name.
        parts: the sha256 of the further files of a split model, by name.
        model: the name of the Hugging Face folder (the adapter's, for an adapter).
        model_sha256: of that folder's config, weights and tokenizer.
        base_sha256: of the GGUF that an adapter was verified on.
        base_model_sha256: of the Hugging Face folder of that base.
        peak_mib: the most memory that this process and the largest of its children
            have held, in MiB; mapped pages of files count in.
    """

    kind: Literal["model", "adapter"]
    file: str
    sha256: str
    parts: dict[str, str] = {}
    quantization: str
    model: str
    model_sha256: str
    base_sha256: str | None = None
    base_model_sha256: str | None = None
    checks: tuple[Check, ...]
    loss: QuantizationLoss | None = None
    seconds: float
    peak_mib: dict[str, float] = {}
    versions: dict[str, str] = {}

    @property
    def passed(self) -> bool:
        """Whether all checks hold."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that do not."""
        return tuple(check for check in self.checks if not check.passed)


class VerifyFile(_Value):
    """verify.json: entries by the sha256 of their files."""

    version: Literal[1] = 1
    files: dict[str, Verified] = {}


def read_verified(
    gguf: Path, hashed: Callable[[Path], str] | None = None
) -> Verified | None:
    """What the gate found about this very file, or `None` where it never saw it.

    Args:
        gguf: the first file of a split one.
        hashed: gives the sha256 of a file, where somebody knows it already.

    Raises:
        ConvertError: the file cannot be read, or verify.json is broken.
    """
    hashed = hashed or hash_of
    entry = _read(gguf.parent / VERIFY_FILE).files.get(hashed(gguf))
    if entry is None:
        return None
    for name, sha256 in entry.parts.items():
        part = gguf.with_name(Path(name).name)
        if not part.is_file() or hashed(part) != sha256:
            return None
    return entry


def require_verified(gguf: Path) -> Verified:
    """What the gate found about this very file, which must have passed.

    Raises:
        ConvertError: it was not verified, was changed since, or did not pass.
    """
    found = read_verified(gguf)
    if found is None:
        table = _read(gguf.parent / VERIFY_FILE)
        changed = any(entry.file == gguf.name for entry in table.files.values())
        why = "was changed since it was verified" if changed else "is not verified"
        raise ConvertError(
            f"{gguf} {why}; run: medassist convert verify MODEL {gguf.name}"
        )
    if not found.passed:
        failed = "; ".join(f"{check.name}: {check.said}" for check in found.failed)
        raise ConvertError(
            f"{gguf} did not pass its verification ({failed}); convert it again"
        )
    return found


def record(gguf: Path, found: Verified) -> list[str]:
    """Write `found` into the verify.json beside `gguf`, and into a card.json there.

    The figures of files of the same name that are no more are dropped.

    Returns:
        What could not be written into the card, for the user.

    Raises:
        ConvertError: verify.json is broken, or cannot be written.
    """
    file = gguf.parent / VERIFY_FILE
    table = {
        sha256: entry
        for sha256, entry in _read(file).files.items()
        if entry.file != found.file
    }
    table[found.sha256] = found
    try:
        whole = VerifyFile(files=table).model_dump_json(indent=2) + "\n"
        write_whole(file, whole, SHARED_FILE)
    except OSError as error:
        raise ConvertError(f"{file} cannot be written: {error.strerror}") from error
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


def hashes_of_parts(gguf: Path) -> dict[str, str]:
    """The sha256 of the further files of a split model, by name."""
    return {part.name: hash_of(part) for part in shards_of(gguf)[1:]}


def _read(file: Path) -> VerifyFile:
    if not file.exists():
        return VerifyFile()
    try:
        return VerifyFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConvertError(
            f"{file} is not one that this version wrote; take it away and verify the "
            "files beside it again"
        ) from error


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
