"""Drugs of the table of doses: whatever else looks like a name, they are none."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

SHORTEST: Final = 5
"""Letters of a word that names a drug by itself, where the name has several words."""
_LETTERS: Final = re.compile(r"[^\W_]+")


@cache
def drug_words() -> frozenset[str]:
    """Words that name a drug of the table by themselves, in small letters."""
    from medassist.safety.drug_names import names

    found: set[str] = set()
    for name in names():
        parts = name.split()
        found |= {part for part in parts if len(parts) == 1 or len(part) >= SHORTEST}
    return frozenset(found)


def is_drug(word: str) -> bool:
    """Whether `word` names a drug of the table, by any name and spelling."""
    known = drug_words()
    return any(part in known for part in _LETTERS.findall(word.casefold()))
