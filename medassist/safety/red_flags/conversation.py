"""Red flags of a question that stands in a conversation.

A story comes in pieces: "she is 30 weeks pregnant", then "now she has a headache and
150/95". The rules look at the new question alone, and at all questions together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from medassist.safety.red_flags.find import RedFlag, find_red_flags

LONGEST_STORY: Final = 40_000
"""Characters of all questions together that are looked at, the newest ones."""


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag and the words that raised it.

    Attributes:
        flag: The flag; its spans are of the text in which it was found.
        words: What stands at those spans, in order, in whole words.
        alone: The question alone raises it; else only with what was asked before.
    """

    flag: RedFlag
    words: tuple[str, ...]
    alone: bool


def raised_by(question: str, earlier: Sequence[str] = ()) -> tuple[Raised, ...]:
    """The flags of `question`, the most urgent first.

    Args:
        question: What is asked now.
        earlier: What was asked before in this conversation, the oldest first. A flag
            that it raises with `question` counts where words of `question` are part of
            it; what it raises by itself was shown when it was asked.
    """
    found = {
        flag.id: Raised(flag, _words(question, flag), alone=True)
        for flag in find_red_flags(question)
    }
    if earlier:
        before = "\n".join(earlier)[-LONGEST_STORY:]
        story = f"{before}\n{question}"
        for flag in find_red_flags(story):
            if flag.id not in found and flag.spans[-1][1] > len(before):
                found[flag.id] = Raised(flag, _words(story, flag), alone=False)
    return tuple(sorted(found.values(), key=lambda one: one.flag.rank))


def _words(text: str, flag: RedFlag) -> tuple[str, ...]:
    return tuple(_whole(text, start, end) for start, end in flag.spans)


def _whole(text: str, start: int, end: int) -> str:
    """The words in which a part of `text` stands: SpO2 82%, not 2 82."""
    while start and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] == "%"):
        end += 1
    return text[start:end]
