"""The processor of this computer, as far as this process may use it."""

from __future__ import annotations

import os

import psutil


def physical_cores() -> int:
    """The cores that this process may use, hyper-threads not counted."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return cores
