"""Documents and questions with answers, as data sets are read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_NOT_A_WORD = re.compile(r"[\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])")


@dataclass(frozen=True)
class RunningText:
    """A piece of running text."""

    source: str
    text: str


@dataclass(frozen=True)
class QuestionAnswer:
    """A question with its answer."""

    source: str
    focus: str
    """Subject of the question: a disease, an article. Splits are made by it."""
    kind: str
    """information, symptoms, treatment, summary, ..."""
    question: str
    """All that the user writes, a note or an abstract that is asked about included."""
    answer: str
    earlier: tuple[tuple[str, str], ...] = ()
    """Questions and answers that come before in the same conversation."""


def focus_key(focus: str) -> str:
    """`focus` without case and punctuation, so that spellings become equal."""
    return _NOT_A_WORD.sub(" ", focus.casefold()).strip()


def is_held_out(key: str, share: float) -> bool:
    """Whether `key` belongs to the held-out `share` (0 to 1) of all keys.

    Decided by a hash of the key alone, so that a text stays on its side of the split
    whatever else is read, in whatever order.
    """
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def sentences(text: str) -> list[str]:
    """Split `text` after its sentences."""
    return _SENTENCE_END.split(text)


def whole_sentences(text: str, longest: int) -> str:
    """The first sentences of `text` within `longest` characters; "" if none fits."""
    kept = ""
    for sentence in sentences(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > longest or not sentence.endswith((".", "!", "?")):
            break
        kept = longer
    return kept
