"""Versions of Ollama."""

from __future__ import annotations

import re


def version_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version; all 0 where a server was built by hand.

    "0.34.1-rc0" -> (0, 34, 1)
    """
    return tuple(int(n) for n in re.findall(r"\d+", version.split("-")[0])[:3])
