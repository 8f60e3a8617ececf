"""Checks that each tensor of a quantized file matches its original.

The loss on a text says what all tensors together cost; a single one that is wrong in
a model of many layers may hide in it. So rows of every tensor are decoded and held
against the unquantized ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.gguf.head import UnknownTensorTypeError
from convert.gguf.tensors import StoredTensor, stored_tensors
from medassist.core.progress import Watcher, unwatched
from medassist.core.proofs import Check

ROWS = 32
"""Rows of each tensor, evenly spread: a swap or a permutation moves all of them."""
MOST_ERROR = 0.75
"""NMSE of a tensor. On random weights 4 bits err by 0.005, 2 bits by 0.1, IQ1_S by 0.28
and the ternary types, which want weights trained for them, by 0.69; another tensor of
the same spread, or the same one with its rows in another order, errs by 2, and one
that is empty by 1."""


def compare_tensors(gguf: Path, against: Path, watcher: Watcher = unwatched) -> Check:
    """Compare the tensors of the quantized `gguf` with those of `against`.

    Raises:
        ConvertError: a file cannot be read.
    """
    try:
        originals, found = stored_tensors(against), stored_tensors(gguf)
    except UnknownTensorTypeError as error:
        return Check(name="tensors", passed=True, said=f"not compared: {error}")
    if names := sorted(originals.keys() ^ found.keys()):
        where = gguf.name if names[0] in originals else against.name
        said = f"{len(names)} tensors are in one file only; {where} lacks {names[0]}"
        return Check(name="tensors", passed=False, said=said)
    worst, worst_name, unread = 0.0, "", 0
    for number, (name, tensor) in enumerate(found.items()):
        watcher("tensors", number, len(found))
        original = originals[name]
        if tensor.fact.shape != original.fact.shape:
            said = f"{name} has another shape than in {against.name}"
            return Check(name="tensors", passed=False, said=said)
        try:
            error = _error(_some(tensor), _some(original))
        except NotImplementedError:
            # A type that only llama.cpp decodes.
            unread += 1
            continue
        if not error <= worst:
            worst, worst_name = error, name
    watcher("tensors", len(found), len(found))
    passed = worst <= MOST_ERROR and unread < len(found)
    said = (
        f"{len(found) - unread} of {len(found)} tensors hold what {against.name} does"
    )
    if not passed:
        said = (
            f"{worst_name} does not hold what it does in {against.name} (NMSE "
            f"{worst:.2g}, limit {MOST_ERROR})"
        )
    figures = {
        "NMSE of the worst tensor": worst,
        "NMSE limit": MOST_ERROR,
        "not decoded": float(unread),
    }
    return Check(name="tensors", passed=passed, said=said, figures=figures)


def _some(tensor: StoredTensor) -> npt.NDArray[np.float64]:
    """Some of its rows, decoded."""
    chosen = np.unique(np.linspace(0, tensor.rows - 1, ROWS).astype(np.int64))
    return tensor.floats(chosen).astype(np.float64)


def _error(found: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> float:
    size = float((wanted**2).sum())
    error = float(((found - wanted) ** 2).sum())
    return error / size if size else error
