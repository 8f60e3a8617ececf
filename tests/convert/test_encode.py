"""The bytes are those that the gguf package makes of the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf import quants

from convert.encode import NotFiniteError, encode, to_float32


def numbers() -> np.ndarray:
    """Random bit patterns that F16 can hold, ties of every rounding, zeros."""
    random = np.random.default_rng(5)
    bits = random.integers(0, 2**32, 2**16, dtype=np.uint32)
    bits = bits[(bits & 0x7F800000) < 0x46000000]  # what F16 can hold
    ties = np.arange(0x3F800000, 0x3F800000 + 2**17, 0x8000, dtype=np.uint32)
    some = np.concatenate([bits, ties, ties | 0x80000000]).view(np.float32)
    halves = np.arange(-127, 127.5, 0.5, dtype=np.float32)
    halves[0] = 127
    plain = random.integers(-(2**20), 2**20, 2**14).astype(np.float32) / 2**20
    whole = np.concatenate([some, np.resize(halves, 4096), plain, np.zeros(64)])
    return whole[: whole.size // 32 * 32].astype(np.float32).reshape(-1, 32)


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0])
def test_float32_is_rounded_bit_for_bit_alike(kind):
    found = encode(numbers(), "F32", kind)
    with np.errstate(all="ignore"):
        expected = quants.quantize(numbers(), kind)
    assert np.array_equal(found, expected.reshape(-1).view(np.uint8))


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0])
def test_bfloat16_is_read_exactly(kind):
    stored = (numbers().view(np.uint32) >> 16).astype(np.uint16)
    wide = to_float32(stored, "BF16")
    assert np.array_equal(wide.view(np.uint32) >> 16, stored)
    with np.errstate(all="ignore"):
        expected = quants.quantize(wide, kind).reshape(-1).view(np.uint8)
    assert np.array_equal(encode(stored, "BF16", kind), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16", "F64"])
@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0])
def test_nan_and_infinity_never_come_through(bad, dtype, kind):
    values = np.ones((1, 32), np.float32)
    values[0, 7] = bad
    stored = {
        "F32": values,
        "F16": values.astype(np.float16),
        "BF16": (values.view(np.uint32) >> 16).astype(np.uint16),
        "F64": values.astype(np.float64),
    }[dtype]
    with pytest.raises(NotFiniteError):
        encode(stored, dtype, kind)


def test_a_number_above_what_float16_holds_is_no_silent_infinity():
    with pytest.raises(NotFiniteError, match="70000"):
        encode(np.full((1, 32), 70000, np.float32), "F32", Kind.F16)
