"""Figures of models as people read them."""

from __future__ import annotations


def size(number: int | None) -> str:
    """Bytes in the units of the field: 4.7 GB, 12 MB."""
    if number is None:
        return "?"
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= worth:
            value = number / worth
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{number} B"


def parameters(number: int) -> str:
    """How many weights: 7.2 B, 361 M."""
    for unit, worth in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= worth:
            value = number / worth
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return str(number)


def tokens(number: int | None) -> str:
    """Tokens of a context: 4,096."""
    return f"{number:,}" if number else "?"


def short_hash(sha256: str | None) -> str:
    """The beginning of a hash, enough to compare by eye."""
    return sha256[:8] if sha256 else "?"
