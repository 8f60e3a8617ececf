"""Messages between `quantize` and its child process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from medassist.frozen_model import FrozenModel


class QuantizeJob(FrozenModel):
    """Command: quantize a file.

    Attributes:
        files: of the model; the first one is named to the quantizer.
        target: is there already, and empty.
        most_memory: bytes of rows that are held at once.
        kinds: the type of each tensor by its name, in the place of the quantizer's
            choice.
    """

    files: tuple[Path, ...]
    target: Path
    ftype: int
    imatrix: Path | None
    allow_requantize: bool
    most_memory: int
    threads: int
    kinds: dict[str, int] = {}


class Tensor(FrozenModel):
    """The quantizer is at this tensor, one of `total`."""

    kind: Literal["tensor"] = "tensor"
    number: int
    total: int


class QuantizeDone(FrozenModel):
    """The file is written.

    Attributes:
        fallbacks: tensors that took another type.
    """

    kind: Literal["done"] = "done"
    fallbacks: int


JOB: TypeAdapter[QuantizeJob] = TypeAdapter(QuantizeJob)
REPLIES: TypeAdapter[Tensor | QuantizeDone] = TypeAdapter(
    Annotated[Tensor | QuantizeDone, Field(discriminator="kind")]
)
