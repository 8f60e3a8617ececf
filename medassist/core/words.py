"""Formats bytes, seconds, and numbers of weights and tokens for people."""

from __future__ import annotations


def size(number: int | None) -> str:
    """Bytes of a file: 4.7 GB, 12 MB."""
    if number is None:
        return "?"
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= worth:
            value = number / worth
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{number} B"


def memory(number: int) -> str:
    """Bytes of memory, in binary units: 1.3 GiB."""
    return f"{number / 2**30:.1f} GiB"


def duration(seconds: float) -> str:
    """Seconds for people: 4.2 s, 48 s, 12 min, 3 h 20 min.

    The next unit begins where the rounding of it is small: 95 s are not `2 min`.
    """
    if seconds < 99.5:
        return f"{seconds:.{0 if seconds >= 9.95 else 1}f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60:,} h {minutes % 60} min"


def parameters(number: int) -> str:
    """Number of weights: 7.2 B, 361 M."""
    for unit, worth in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= worth:
            value = number / worth
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return str(number)


def tokens(number: int | None) -> str:
    """Number of tokens: 4,096."""
    return f"{number:,}" if number else "?"


def short_hash(sha256: str | None) -> str:
    """The first digits of a hash, enough to compare by eye."""
    return sha256[:8] if sha256 else "?"


def plural(count: int, word: str) -> str:
    """`word` in the form that follows `count`: answer, answers."""
    return word if count == 1 else f"{word}s"
