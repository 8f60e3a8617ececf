"""The clock by which idle time is measured."""

from __future__ import annotations

import sys
import time
from functools import partial

if sys.platform == "linux":
    clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
else:
    clock = time.time
"""Seconds, including time asleep where the system counts it."""
