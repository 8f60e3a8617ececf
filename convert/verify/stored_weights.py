"""Reads the weights in a model folder with the safetensors library.

The converter reads them with code of its own (`convert.safetensors_file`), which maps
them and decodes BF16. The gate goes another way to the same numbers, so that a fault of
the converter's reading is not made twice and signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from convert.errors import ConvertError
from convert.hf_folder import read_weights, weight_files
from convert.mxfp4 import BLOCKS, SCALES

_EXPERTS = re.compile(r"(.+\.experts)\.(gate_up|down)_proj")


@dataclass(frozen=True)
class Stored:
    """A tensor in its file."""

    name: str
    file: Path

    def tensor(self) -> torch.Tensor:
        """The tensor as stored, in the mapped file as long as nothing is done to it."""
        with safe_open(self.file, framework="pt") as opened:
            return opened.get_tensor(self.name)

    def floats(self) -> torch.Tensor:
        """The tensor in float32."""
        return self.tensor().to(torch.float32)


@dataclass(frozen=True)
class StackedExperts(Stored):
    """Matrices of the experts of a layer, which transformers has as one tensor."""

    experts: tuple[tuple[Stored, ...], ...]
    """Parts of each expert: gate and up, which are joined, or down alone."""

    def tensor(self) -> torch.Tensor:
        """(experts, rows, columns)."""
        joined = (torch.cat([part.tensor() for part in e]) for e in self.experts)
        return torch.stack([*joined])


@dataclass(frozen=True)
class StoredPackedExperts(Stored):
    """Matrices of the experts of a layer in MXFP4, which transformers decodes."""

    blocks: Stored
    scales: Stored

    def tensor(self) -> torch.Tensor:
        """(experts, in, out), in float32."""
        blocks, scales = self.blocks.tensor(), self.scales.tensor()
        return convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)


def packed_experts(full: str, stored: dict[str, Stored]) -> Stored | None:
    """Sources of the parameter `full`, if it is stored in MXFP4."""
    blocks, scales = (stored.get(full + end) for end in (BLOCKS, SCALES))
    if blocks is None or scales is None:
        return None
    return StoredPackedExperts(full, blocks.file, blocks, scales)


def stacked_experts(full: str, stored: dict[str, Stored]) -> Stored | None:
    """Sources of the parameter `full`, if it is that of a layer's experts."""
    if (match := _EXPERTS.fullmatch(full)) is None:
        return None
    inner, kind = match.groups()
    parts = ("gate", "up") if kind == "gate_up" else (kind,)
    found: list[tuple[Stored, ...]] = []
    while True:
        names = [f"{inner}.{len(found)}.{part}_proj.weight" for part in parts]
        if not all(name in stored for name in names):
            break
        found.append(tuple(stored[name] for name in names))
    return StackedExperts(full, found[0][0].file, tuple(found)) if found else None


def stored_weights(folder: Path) -> dict[str, Stored]:
    """All tensors of the model in `folder`, by name; none is read yet.

    Raises:
        ConvertError: a file is missing or broken, or what transformers would not find.
    """
    read_weights(folder)  # refuses broken files and saves that are not whole
    return {t.name: t for file in weight_files(folder) for t in stored_in(file)}


def stored_in(file: Path) -> list[Stored]:
    """The tensors in the safetensors `file`.

    Raises:
        ConvertError: it cannot be read.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            return [Stored(name, file) for name in opened.keys()]  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConvertError(f"{file} cannot be read: {error}; get it again") from error
