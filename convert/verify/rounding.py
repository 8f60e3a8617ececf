"""Rounds what goes into a matrix, as llama.cpp does by the type of the matrix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from convert.gguf.contents import read_model
from convert.hf_folder import quantized_by, read_config
from convert.mxfp4 import MXFP4

ROUNDED_TO = {"F16": torch.float16, "BF16": torch.bfloat16}
"""By the type of a GGUF's matrices."""
PACKED = MXFP4
"""The type of a GGUF whose experts are in MXFP4, as the model has them itself."""
_PRODUCTS = (
    nn.functional.linear,
    torch.matmul,
    torch.Tensor.matmul,
    torch.Tensor.__matmul__,
)
_IN_FLOAT32 = (".shared_expert_gate",)
_EIGHTS = 32
"""Numbers of a block of Q8_0."""

Rounding = Callable[[torch.Tensor], torch.Tensor]


def type_of_numbers(folder: Path, gguf: Path, quantization: str) -> str:
    """The type of the numbers in `gguf`, if they are those of the model in `folder`.

    That is the quantization of the file; but where only the experts are quantized, to
    the type that the model has them in itself, nothing was lost.
    """
    packed = quantized_by(read_config(folder)) == MXFP4.lower()
    if packed and read_model(gguf).quantized == {MXFP4}:
        return PACKED
    return quantization


def type_to_round_to(gguf: Path) -> torch.dtype:
    """Type of the matrices in `gguf` that are not quantized."""
    types = {t.type for t in read_model(gguf).tensors if len(t.shape) > 1}
    return next((ROUNDED_TO[t] for t in sorted(types & {*ROUNDED_TO})), torch.float32)


def as_eights(values: torch.Tensor) -> torch.Tensor:
    """Rounded to Q8_0, to which llama.cpp rounds what goes into a matrix in MXFP4."""
    blocks = values.reshape(-1, _EIGHTS)
    most = blocks.abs().amax(dim=1, keepdim=True)
    whole = (blocks * torch.where(most > 0, 127 / most, most)).round()
    return (whole * (most / 127).half().float()).reshape(values.shape)


def has_experts(module: nn.Module) -> bool:
    """Whether `module` keeps the matrices of a layer's experts, stacked."""
    if isinstance(module, nn.Conv1d):
        return False
    return any(p.ndim == 3 for p in module.parameters(recurse=False))


def modules_in_float32(model: nn.Module) -> frozenset[nn.Module]:
    """The modules of `model` whose matrix a GGUF has in F32: routers, convolutions."""
    return frozenset(
        module
        for path, module in model.named_modules()
        if is_router(module)
        or isinstance(module, nn.Conv1d)
        or path.endswith(_IN_FLOAT32)
    )


def is_router(module: nn.Module) -> bool:
    """Whether `module` chooses experts."""
    return hasattr(module, "top_k") and not has_experts(module)


class RoundedProducts(TorchFunctionMode):
    """While it is entered, what is multiplied by a matrix is rounded before.

    Experts multiply by slices of one parameter, which no hook of a module sees.
    """

    def __init__(self, rounding: Rounding) -> None:
        super().__init__()
        self._rounding = rounding

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call `func`, on rounded values if it is a product."""
        if func in _PRODUCTS:
            args = (self._rounding(args[0]), *args[1:])
        return func(*args, **(kwargs or {}))


def round_products(module: nn.Module, rounding: Rounding) -> None:
    """Let `module` round whatever it multiplies by a matrix."""
    forward = module.forward

    def rounded(*args: Any, **kwargs: Any) -> Any:
        with RoundedProducts(rounding):
            return forward(*args, **kwargs)

    module.forward = rounded
