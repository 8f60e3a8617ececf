"""Detects damaged weights by implausible logits.

llama.cpp reads weights as they are: one scale that is no number makes every later
number none, and a file of zeros expects every token alike. The sampler still takes
some token, and the reader sees an empty answer, or nonsense. So the logits are looked
at before they are used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medassist.core.errors import ModelFileError

Logits = npt.NDArray[np.float32]


def fault_of(logits: Logits) -> str:
    """Describes the fault of `logits` of (V,) or (T, V); "" if there is none.

    The least and the greatest of a row tell: they are no number where any is none.
    """
    if logits.size == 0:
        return ""
    low, high = logits.min(axis=-1), logits.max(axis=-1)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return "it computes what is no number"
    # A vocabulary of one token would always be expected alike.
    if logits.shape[-1] > 1 and bool(np.any(low == high)):
        return "it expects every token alike"
    return ""


def damaged(file: Path, fault: str, *, base: Path | None = None) -> ModelFileError:
    """The error for a damaged `file`.

    Args:
        file: the file.
        fault: what is wrong, as `fault_of` says it.
        base: where `file` is an adapter, the model that computes rightly without it.
    """
    name = "the adapter" if base else "the file"
    sound = f", and {base.name} without it does not" if base else ""
    return ModelFileError(
        f"{file}: {name} is damaged: {fault}{sound}. Nothing that it writes is to be "
        "used. Copy or download it again; where the sha256 is right, it was broken "
        "when it was made.",
        file,
    )
