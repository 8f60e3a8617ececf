"""Whether a model file passed the converter's gate: verify.json beside it.

An entry goes by the sha256 of its file: one that was changed since is not verified,
whatever its name. Only what is asked here is read of the file, since the converter,
which writes it, has its own reader.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from medassist.core.card import CardError, read_card
from medassist.core.files import read_bytes

VERIFY_FILE = "verify.json"
CARD_FILE = "card.json"
MAX_BYTES = 16 * 1024 * 1024

Verdict = Literal["verified", "failed", "not verified", "not known yet"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Check(_Part):
    name: str
    passed: bool


class _Entry(_Part):
    file: str
    checks: tuple[_Check, ...]
    parts: dict[str, str] = {}


class _VerifyFile(_Part):
    version: Literal[1]
    files: dict[str, _Entry] = {}


def verdict(gguf: Path, hashed: Callable[[Path], str | None]) -> Verdict:
    """What the gate said about this very file.

    Args:
        gguf: the first file of a split one.
        hashed: the sha256 of a file where it is known by now, else `None`. It is asked
            only where there is an entry that it could decide about.
    """
    file = gguf.parent / VERIFY_FILE
    try:
        if file.stat().st_size > MAX_BYTES:
            return "not verified"
        table = _VerifyFile.model_validate_json(read_bytes(file)).files
    except (OSError, ValidationError):
        return _by_card(gguf, hashed)
    if not table:
        return _by_card(gguf, hashed)
    sha256 = hashed(gguf)
    if sha256 is None:
        return "not known yet"
    entry = table.get(sha256)
    if entry is None:
        return _by_card(gguf, hashed)
    for name, wanted in entry.parts.items():
        part = gguf.with_name(Path(name).name)
        found = hashed(part) if part.is_file() else ""
        if found is None:
            return "not known yet"
        if found != wanted:
            return "not verified"
    passed = bool(entry.checks) and all(check.passed for check in entry.checks)
    return "verified" if passed else "failed"


def _by_card(gguf: Path, hashed: Callable[[Path], str | None]) -> Verdict:
    """As the card beside the file says it, which travels where verify.json does not."""
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


def card_of(gguf: Path) -> Path | None:
    """The card beside `gguf`, or that of the run whose `gguf/` it lies in."""
    folder = gguf.absolute().parent
    places = [folder / CARD_FILE]
    if folder.name == "gguf":
        places.append(folder.parent / CARD_FILE)
    for place in places:
        try:
            if place.is_file() and place.stat().st_size <= MAX_BYTES:
                return place
        except OSError:
            continue
    return None
