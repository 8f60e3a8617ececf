"""Red flags that the rules found in a question, as text and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medassist.session.red_flags import found_in, not_checked, why_not

if TYPE_CHECKING:
    from medassist.safety.red_flags.conversation import Raised


@dataclass(frozen=True)
class CheckedQuestion:
    """Red flags that the rules found in a question.

    Attributes:
        raised: The flags, the most urgent first.
        problem: Why the question was not checked; empty: it was.
        language: That the rules cannot read the question or a part of it; empty: they
            can.
    """

    raised: Sequence[Raised] = ()
    problem: str = ""
    language: str = ""

    @property
    def lines(self) -> Sequence[str]:
        """A line for each flag, and one where something could not be checked."""
        if self.problem:
            return [self.problem]
        flags = (raised.flag for raised in self.raised)
        lines = [f"RED FLAG: {flag.title}. {flag.text}" for flag in flags]
        return [*lines, self.language] if self.language else lines

    @property
    def as_json(self) -> list[dict[str, Any]] | None:
        """The flags for `--json`; `None` where nothing could be checked."""
        if self.problem:
            return None
        return [
            {
                "id": raised.flag.id,
                "title": raised.flag.title,
                "text": raised.flag.text,
                "field": raised.flag.field,
                "words": list(raised.words),
                "source": raised.flag.source,
            }
            for raised in self.raised
        ]


async def check_question(question: str, earlier: Sequence[str] = ()) -> CheckedQuestion:
    """Run the red-flag rules on `question`. Never fails.

    Args:
        question: what is asked now.
        earlier: what was asked before in the conversation, the oldest first.
    """
    try:
        raised, foreign = await asyncio.to_thread(found_in, question, list(earlier))
    except Exception as error:
        return CheckedQuestion(problem=not_checked(why_not(error)))
    from medassist.safety.language import NOTICE

    return CheckedQuestion(raised, language=NOTICE if foreign else "")
