"""The environment of the processes that run llama.cpp."""

from __future__ import annotations

import os
from pathlib import Path

SPIN_COUNT = "1000"
"""How long threads of GNU OpenMP spin at a barrier before they sleep. By default they
spin 300 times as long; a thread that is thrown off its core by another program then
holds up all of them. Measured on two cores, 0.7 B at Q4_K_M, with a busy program
beside: 15 tok/s instead of 4; on a quiet machine no difference (55)."""
PACKAGE = Path(__file__).resolve().parents[2]
SECRETS = ("TOKEN", "SECRET", "PASSWORD", "KEY")


def child_environment() -> dict[str, str]:
    """The environment of this process, without its secrets."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not any(secret in name.upper() for secret in SECRETS)
    }
    environment.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    # Of a failed check the stack helps nobody here, and gdb is started to print it.
    environment.setdefault("GGML_NO_BACKTRACE", "1")
    # The child finds this very package, wherever the app was started.
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PACKAGE), path)))
    return environment
