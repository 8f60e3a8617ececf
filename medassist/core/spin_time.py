"""OpenMP spin time: how long idle compute threads stay awake, set by environment."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

VARIABLE = "GOMP_SPINCOUNT"
SPIN_COUNT = "1000"
"""How long threads of GNU OpenMP spin at a barrier before they sleep. By default they
spin 300 times as long; a thread that is thrown off its core by another program then
holds up all of them. Measured on two cores with a busy program beside: llama.cpp with
0.7 B at Q4_K_M 15 tok/s instead of 4, a matrix product of torch 31 GFLOP/s instead of
7; on a quiet machine no difference."""


def spin_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let compute threads of libraries loaded from now on sleep soon when idle.

    OpenMP reads it when it is loaded, with torch or llama.cpp. What the user has set
    stays.
    """
    environment.setdefault(VARIABLE, SPIN_COUNT)
