"""Reads a Modelfile by the rules of Ollama's own reader, to see what would arrive.

A value begins behind the word; it ends at the first line's end where its quotes are
closed. What Go calls not printable is dropped, but for blanks and line ends in values.
"""

from __future__ import annotations

import unicodedata


def read_modelfile(text: str) -> list[tuple[str, str]]:
    """Each command and its value."""
    found: list[tuple[str, str]] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, _, value = line.strip().partition(" ")
        while (whole := _unquoted(value)) is None:
            value += "\n" + next(lines)
        kept = "".join(c for c in whole if _kept(c))
        found.append((word, kept))
    return found


def _unquoted(value: str) -> str | None:
    """What stands in the quotes; `None` while they are open."""
    head, space, rest = value.partition(" ")
    if space and not head.startswith('"') and rest.startswith('"'):
        inner = _unquoted(rest)  # PARAMETER stop "..." and MESSAGE user "..."
        return None if inner is None else f"{head} {inner}"
    value = value.strip()
    for quotes in ('"""', '"'):
        if value.startswith(quotes):
            closed = len(value) >= 2 * len(quotes) and value.endswith(quotes)
            return value[len(quotes) : -len(quotes)] if closed else None
    return value


def _kept(character: str) -> bool:
    return character in " \n\r\t" or unicodedata.category(character)[0] not in "CZ"
