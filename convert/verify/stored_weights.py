"""Reads the weights in a model folder with the safetensors library.

The converter reads them with code of its own (`convert.safetensors_file`), which maps
them and decodes BF16. The gate goes another way to the same numbers, so that a fault of
the converter's reading is not made twice and signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from convert.errors import ConvertError
from convert.hf_folder import read_weights, weight_files


@dataclass(frozen=True)
class Stored:
    """A tensor in its file."""

    name: str
    file: Path

    def tensor(self) -> torch.Tensor:
        """As it is stored, in the mapped file as long as nothing is done to it."""
        with safe_open(self.file, framework="pt") as opened:
            return opened.get_tensor(self.name)

    def floats(self) -> torch.Tensor:
        """In float32."""
        return self.tensor().to(torch.float32)


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
