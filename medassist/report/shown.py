"""Makes text from outside fit to be shown in a report.

Answers of models, records and names of files can hold characters that XML forbids, or
that reorder and hide text. Every text passes here on its way into a page, a slide or a
model card.
"""

from __future__ import annotations

import re

from medassist.core.clean import clean

# Noncharacters: XML 1.0 forbids the last two of the first plane; nobody needs the rest.
_NOT_CHARACTERS = re.compile(
    "[\ufdd0-\ufdef\ufffe\uffff"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}"
        for plane in range(0x10000, 0x110000, 0x10000)
    )
    + "]"
)


def shown(text: str) -> str:
    """`text` without characters that XML forbids or a reader cannot see."""
    return _NOT_CHARACTERS.sub("", clean(text))


def shown_line(text: str) -> str:
    """`text` as `shown` makes it, on one line."""
    return " ".join(shown(text).split())


def cut(text: str, most: int) -> str:
    """At most `most` characters, cut between words where it can be, and marked."""
    if len(text) <= most:
        return text
    kept = text[:most]
    space = kept.rfind(" ")
    return (kept[:space] if space > most // 2 else kept).rstrip() + " …"
