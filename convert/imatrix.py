"""Importance matrices: how much each column of a weight is used on real text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.errors import ConvertError
from convert.gguf.head import TensorFact, read_head, tensor_bytes
from medassist.core.files import open_file
from medassist.core.gguf_reader import MAGIC

SUMS, COUNTS = ".in_sum2", ".counts"


@dataclass(frozen=True)
class ImportanceMatrix:
    """An importance matrix, as llama-imatrix writes it.

    Attributes:
        file: where it was read.
        importance: by name of the weight, mean squares of the inputs of its columns,
            one expert after the other.
        dataset: the first text that it was computed on, or None.
        chunks: of that text.
    """

    file: Path
    importance: dict[str, npt.NDArray[np.float32]]
    dataset: str | None
    chunks: int | None


def read_imatrix(file: Path) -> ImportanceMatrix:
    """Read an importance matrix in GGUF, as llama-imatrix writes it.

    Raises:
        ConvertError: it is none, or of the older format.
    """
    try:
        with open_file(file) as opened:
            magic = opened.read(4)
    except OSError as error:
        raise ConvertError(f"{file} cannot be read: {error.strerror}") from error
    if magic != MAGIC:
        raise ConvertError(
            f"{file} is no importance matrix in GGUF; one of the older format (.dat) "
            "becomes one by: llama-imatrix --in-file OLD.dat -o NEW.gguf"
        )
    head = read_head(file)
    if head.text("general.type") != "imatrix":
        raise ConvertError(
            f"{file} is a GGUF, but no importance matrix; llama-imatrix makes one"
        )
    tensors = {tensor.name: tensor for tensor in head.tensors}
    importance: dict[str, npt.NDArray[np.float32]] = {}
    for name, sums in tensors.items():
        if not name.endswith(SUMS):
            continue
        weight = name.removesuffix(SUMS)
        counts = tensors.get(weight + COUNTS)
        if counts is None or sums.type != "F32" or counts.type != "F32":
            raise ConvertError(f"{file}: the entry of {weight} is not whole")
        importance[weight] = _means(
            _floats(file, sums), _floats(file, counts), file, weight
        )
    if not importance:
        raise ConvertError(f"{file} holds no entries; compute it again")
    datasets = head.texts("imatrix.datasets")
    return ImportanceMatrix(
        file,
        importance,
        datasets[0] if datasets else None,
        head.number("imatrix.chunk_count"),
    )


def _floats(file: Path, tensor: TensorFact) -> npt.NDArray[np.float32]:
    return tensor_bytes(file, tensor).view(np.float32)


def _means(
    sums: npt.NDArray[np.float32],
    counts: npt.NDArray[np.float32],
    file: Path,
    weight: str,
) -> npt.NDArray[np.float32]:
    """Sums by their counts, for each expert; an expert that was never used gets 1."""
    experts = counts.size
    if experts == 0 or sums.size % experts:
        raise ConvertError(f"{file}: the entry of {weight} is not whole")
    by_expert = sums.reshape(experts, -1).astype(np.float32)
    count = counts.reshape(experts, 1).astype(np.float32)
    means = np.where(count > 0, by_expert / np.maximum(count, 1), np.float32(1))
    if not np.isfinite(means).all():
        raise ConvertError(f"{file}: the entry of {weight} is not finite")
    return np.ascontiguousarray(means.ravel(), np.float32)
