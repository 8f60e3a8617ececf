"""Plausible bounds for the numbers in a GGUF header.

llama.cpp makes room for as many tokens, layers and heads as a header says. A number
that is damaged asks for all memory there is, or turns negative in a variable that is
too small for it. What no model can have is told as a damage before anything is loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import cast

Number = int | float
TABLE = Path(__file__).with_name("gguf_bounds.json")
SPARSITY = "activation_sparsity_scale"
"""Key of the deviations above the mean below which a layer of Gemma 3n drops values;
minus infinity where it drops none."""
ALPHA = "adapter.lora.alpha"
"""Key of an adapter's strength; llama.cpp ends the process where that is a list."""


def implausible(metadata: Mapping[str, object], architecture: str) -> str:
    """The first value that no model can have, in words; "" where there is none.

    Args:
        metadata: the header's keys and values.
        architecture: whose keys are looked at: they begin with it.
    """
    prefix = f"{architecture}."
    named, other = _bounds()
    for key, value in metadata.items():
        if not key.startswith(prefix):
            continue
        least, most = named.get(key.removeprefix(prefix), other)
        for number in _numbers(value):
            if key == f"{prefix}{SPARSITY}" and number == -math.inf:
                continue
            if isinstance(number, float) and not math.isfinite(number):
                return f"{key} is {number}"
            if isinstance(number, int) and not least <= number <= most:
                return f"{key} is {number:,}, where {least:,} to {most:,} is possible"
    alpha = metadata.get(ALPHA, 1.0)
    if type(alpha) not in (int, float) or not math.isfinite(cast("float", alpha)):
        return f"{ALPHA} is {str(alpha)[:60]}, where a number is expected"
    return ""


def _numbers(value: object) -> Iterator[Number]:
    if isinstance(value, tuple):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _numbers(each)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@cache
def _bounds() -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    table = json.loads(TABLE.read_text("utf-8"))
    named = {str(key): (int(a), int(b)) for key, (a, b) in table["bounds"].items()}
    least, most = table["other"]
    return named, (int(least), int(most))
