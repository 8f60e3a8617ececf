"""The two shapes in which text reaches a training: documents and questions."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_NOT_A_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Document:
    """A piece of running text."""

    source: str
    text: str


@dataclass(frozen=True)
class QuestionAnswer:
    """A question with its answer."""

    source: str
    focus: str
    """What the question is about: a disease, a drug. Splits are made by it."""
    kind: str
    """information, symptoms, treatment, ..."""
    question: str
    answer: str


def focus_key(focus: str) -> str:
    """`focus` without case and punctuation, so that spellings fall together."""
    return _NOT_A_WORD.sub(" ", focus.casefold()).strip()


def is_held_out(key: str, share: float) -> bool:
    """Whether `key` belongs to the held-out `share` (0 to 1) of all keys.

    Decided by a hash of the key alone, so that a text stays on its side of the split
    whatever else is read, in whatever order.
    """
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
