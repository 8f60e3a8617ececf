"""merge.json: the sources of a merged model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from convert.errors import ConvertError
from medassist.core.card import Sha256
from medassist.frozen_model import FrozenModel

RECORD = "merge.json"


class MergeRecord(FrozenModel):
    """The lineage of a merged model: names and hashes, no paths of this computer."""

    version: Literal[1] = 1
    base: str
    """The name of its folder."""
    adapter: str
    base_files: dict[str, Sha256]
    """The weights, by file."""
    adapter_files: dict[str, Sha256]
    """Config and weights."""
    merged_files: dict[str, Sha256]
    """The weights, by file."""
    weights: int
    """All of them."""
    changed: int
    """Weights that are not those of the base."""
    bytes: int
    """Bytes of all weights."""
    vocabulary: int | None
    """Rows of the embedding."""
    untied: bool
    """Embedding and output layer were one tensor in the base, and are two here."""
    notes: tuple[str, ...] = ()
    """Notes about this merge for the user."""


def read_record(folder: Path) -> MergeRecord:
    """Read the merge.json in `folder`.

    Raises:
        ConvertError: there is none, or it is not one of this version.
    """
    file = folder / RECORD
    try:
        return MergeRecord.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConvertError(f"{file} is no record of a merge: {error}") from error
