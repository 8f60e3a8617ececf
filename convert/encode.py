"""Encodes checkpoint tensors as GGUF bytes, a block of rows at a time.

The bytes are those that the `gguf` package's `quants.quantize` makes of the same
numbers (tests compare them); the roundings are written anew where that is faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

from convert.hf_folder import Array
from convert.mxfp4 import MXFP4

Kind = GGMLQuantizationType
Q8_BLOCK = GGML_QUANT_SIZES[Kind.Q8_0][0]
SAME = {"F32": Kind.F32, "F16": Kind.F16, "BF16": Kind.BF16, MXFP4: Kind.MXFP4}
LARGEST_EXPONENT = 252
"""Largest exponent of MXFP4: with a larger one, 6 times it overflows float32."""
F16_OVERFLOW = 65520.0  # from here on the nearest float16 is infinity


class NotFiniteError(Exception):
    """A block holds NaN or infinity, or a number that its new type cannot hold."""


def row_bytes(columns: int, kind: Kind) -> int:
    """The bytes of a row of `columns` values."""
    block, size = GGML_QUANT_SIZES[kind]
    assert columns % block == 0, "the type was chosen for the row"
    return columns // block * size


def to_float32(stored: npt.NDArray[Any], dtype: str) -> Array:
    """Numbers as a checkpoint stores them (BF16 as its 16 bits) in float32.

    MXFP4 comes in the blocks of a GGUF: see `convert.mxfp4`.
    """
    if dtype == MXFP4:
        return quants.dequantize(stored, Kind.MXFP4)
    if dtype == "BF16":
        wide = stored.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return stored.astype(np.float32, copy=False)


def encode(
    stored: npt.NDArray[Any],
    dtype: str,
    kind: Kind,
    add: float = 0.0,
    *,
    logarithm: bool = False,
) -> npt.NDArray[np.uint8]:
    """The bytes of a block of rows as `kind`.

    Args:
        stored: the numbers, as a checkpoint of `dtype` has them.
        dtype: F32, F16, BF16, F64 or MXFP4.
        kind: the type in the GGUF.
        add: to each number, in float32.
        logarithm: they are logarithms, and minus the numbers themselves are wanted.

    Raises:
        NotFiniteError: a number is NaN or infinite, or too large for `kind`.
    """
    same = SAME.get(dtype) is kind and not (add or logarithm)
    if dtype == MXFP4 or same:
        _check_stored(stored, dtype)
    if same:
        return _bytes(stored)
    values = to_float32(stored, dtype)
    if logarithm:
        values = _minus_exp(values)
    if add:
        values = values + np.float32(add)
    largest = max(values.max(initial=0), -values.min(initial=0))  # NaN stays NaN
    if not largest < np.inf:
        raise NotFiniteError("NaN or infinity")
    match kind:
        case Kind.F32:
            return _bytes(values)
        case Kind.F16:
            if largest >= F16_OVERFLOW:
                raise NotFiniteError(f"{largest:.6g}")
            return _bytes(_float16(values))
        case Kind.BF16:
            return _bytes(_bfloat16(values))
        case Kind.Q8_0:
            return _q8_0(values)
        case _:
            return _bytes(quants.quantize(np.ascontiguousarray(values), kind))


def _float16(values: Array) -> npt.NDArray[np.float16]:
    """Rounded to the nearest as numpy does it, which is many times slower at it."""
    # Here, not above: reading a GGUF does not wait for torch.
    import torch

    return torch.from_numpy(np.require(values, requirements=["C", "W"])).half().numpy()  # pyright: ignore[reportUnknownMemberType]


def _minus_exp(values: Array) -> Array:
    """Minus e to the power of each, in the very bits that the model computes with."""
    import torch

    made: Any = torch.from_numpy(np.require(values, requirements=["C", "W"])).exp()  # pyright: ignore[reportUnknownMemberType]
    return -made.numpy()


def _bfloat16(values: Array) -> npt.NDArray[np.uint16]:
    """The upper 16 bits, rounded to the nearest, and to the even one of two."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits >> 16) & 1
    rounded += bits
    rounded += np.uint32(0x7FFF)
    rounded >>= 16
    return rounded.astype(np.uint16)


def _q8_0(values: Array) -> npt.NDArray[np.uint8]:
    """Blocks of 32 numbers as a float16 scale and 32 bytes, rounded half away from 0.

    The order of the operations is that of ggml's reference, in float32.
    """
    blocks = np.ascontiguousarray(values).reshape(-1, Q8_BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore"):
        inverse = np.where(scale == 0, np.float32(0), np.float32(1) / scale)
    scaled = blocks * inverse
    rest = np.abs(scaled)
    whole = np.floor(rest)
    rest -= whole
    rest *= 2
    whole += np.floor(rest, out=rest)
    out = np.empty((len(blocks), 2 + Q8_BLOCK), np.uint8)
    out[:, :2] = scale.astype(np.float16).view(np.uint8)
    out[:, 2:] = np.copysign(whole, scaled, out=whole).astype(np.int8).view(np.uint8)
    return out.reshape(-1)


def _check_stored(stored: npt.NDArray[Any], dtype: str) -> None:
    match dtype:
        case "BF16":
            finite = (stored & 0x7F80 != 0x7F80).all()
        case Kind.MXFP4.name:
            exponents = stored[..., :: GGML_QUANT_SIZES[Kind.MXFP4][1]]
            finite = (exponents <= LARGEST_EXPONENT).all()
        case _:
            finite = np.isfinite(stored).all()
    if not finite:
        raise NotFiniteError("NaN or infinity")


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
