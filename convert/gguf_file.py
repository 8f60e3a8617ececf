"""Writing a GGUF: under a temporary name, to the disk, then under its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, quants

from convert.hf_folder import Array

Quantization = Literal["f32", "f16", "q8_0"]
TYPES: dict[Quantization, tuple[GGMLQuantizationType, LlamaFileType]] = {
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
}
Q8_BLOCK = 32


@contextmanager
def new_gguf(file: Path, architecture: str) -> Iterator[GGUFWriter]:
    """A writer whose file appears as `file` when all of it is on the disk.

    What stood there before stays until then; nothing is left of a broken-off write.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(file.name + ".tmp")
    writer = GGUFWriter(half, architecture)
    try:
        yield writer
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with half.open("rb") as written:
            os.fsync(written.fileno())
        half.replace(file)
    finally:
        writer.close()
        half.unlink(missing_ok=True)


def add_tensor(
    writer: GGUFWriter, name: str, tensor: Array, quantization: Quantization
) -> None:
    """Add `tensor` as `quantization`; vectors and norms stay float32.

    A matrix whose rows are no whole number of blocks becomes F16 in the place of Q8_0.
    """
    kind = TYPES[quantization][0]
    if tensor.ndim < 2:
        kind = GGMLQuantizationType.F32
    elif quantization == "q8_0" and tensor.shape[-1] % Q8_BLOCK:
        kind = GGMLQuantizationType.F16
    data: npt.NDArray[np.generic] = quants.quantize(tensor, kind)
    writer.add_tensor(name, np.ascontiguousarray(data), raw_dtype=kind)
