"""What is in a GGUF, in a form that two of them can be compared in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFReader

Metadata = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """Metadata by key and tensors by name."""

    metadata: Metadata
    tensors: dict[str, str]
    """Type, shape and the first digits of the sha256 of the data."""


def contents(*files: Path) -> Contents:
    """Read a GGUF, or the parts of one that was split."""
    metadata: Metadata = {}
    tensors: dict[str, str] = {}
    for file in files:
        reader = GGUFReader(file)
        for key, field in reader.fields.items():
            if not key.startswith(("GGUF.", "split.")):
                metadata[key] = field.contents()
        for tensor in reader.tensors:
            digest = hashlib.sha256(tensor.data.tobytes()).hexdigest()[:20]
            shape = "x".join(str(n) for n in reversed(tensor.shape.tolist()))
            tensors[tensor.name] = f"{tensor.tensor_type.name} {shape} {digest}"
    return Contents(metadata, tensors)


def digest(found: Contents) -> str:
    """One hash of all tensors."""
    text = "\n".join(f"{name} {what}" for name, what in sorted(found.tensors.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
