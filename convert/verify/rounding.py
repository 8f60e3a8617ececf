"""Rounds what goes into a matrix, as llama.cpp does where the matrix is F16 or BF16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

ROUNDED_TO = {"F16": torch.float16, "BF16": torch.bfloat16}
"""By the type of a GGUF's matrices."""

Rounding = Callable[[torch.Tensor], torch.Tensor]


def has_experts(module: nn.Module) -> bool:
    """Whether `module` keeps the matrices of a layer's experts, stacked."""
    return any(p.ndim == 3 for p in module.parameters(recurse=False))


def is_router(module: nn.Module) -> bool:
    """Whether `module` chooses experts; a GGUF has its matrix in F32."""
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
        if func is nn.functional.linear:
            args = (self._rounding(args[0]), *args[1:])
        return func(*args, **(kwargs or {}))


def round_products(module: nn.Module, rounding: Rounding) -> None:
    """Let `module` round whatever it multiplies by a matrix."""
    forward = module.forward

    def rounded(*args: Any, **kwargs: Any) -> Any:
        with RoundedProducts(rounding):
            return forward(*args, **kwargs)

    module.forward = rounded
