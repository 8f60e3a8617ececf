"""How a chat template ends an answer, found by asking it.

A model learns to end an answer as its template does: with a token, or with mere text
where the tokenizer has no such token (ChatML on a base that never had it, or turns
written as "ROLE: text"). llama.cpp ends an answer at tokens alone, so whoever runs such
a model has to know the text. The template in the model file tells it; nothing else has
to be stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medassist.engine.vocabulary import Vocabulary

Turn = tuple[Literal["user", "assistant"], str]
Render = Callable[[Sequence[Turn], bool], str | None]
"""From turns, and whether an answer is asked for, to a prompt; `None`: refused."""

ANSWER = "an-answer-of-the-probe"
NEXT = "another-question-of-the-probe"
_TALK: tuple[Turn, ...] = (("user", "a-question-of-the-probe"), ("assistant", ANSWER))


@dataclass(frozen=True)
class AnswerEnd:
    """What a chat template writes behind an answer, and what of it ends one."""

    after: str = ""
    """All that stands behind an answer, the next question's opening included."""
    text: str = ""
    """The first thing in it that ordinary words cannot be taken for; where it stands
    at the start of a line, with the line end before it. Empty: there is none."""
    is_token: bool = False
    """Whether `text` is a token of its own."""


def answer_end(render: Render, specials: Iterable[str]) -> AnswerEnd:
    """How the chat template behind `render` ends an answer.

    Args:
        render: the template.
        specials: the texts of the tokens that stand for one thing each.
    """
    after = _after_answer(render)
    lead = after[: len(after) - len(after.lstrip())]
    body = after.removeprefix(lead)
    # Of two that begin at one place, the longer one is meant.
    there = sorted({s for s in specials if s and s in body}, key=len, reverse=True)
    token = re.search("|".join(map(re.escape, there)), body) if there else None
    before_token = body[: token.start()] if token else body
    if text := _stop_text(lead, before_token):
        return AnswerEnd(after, text)
    if token:
        return AnswerEnd(after, token[0], is_token=True)
    return AnswerEnd(after)


def _after_answer(render: Render) -> str:
    """What stands between an answer and the next question."""
    closed = _behind(render(_TALK, False))
    talk = render([*_TALK, ("user", NEXT)], True)
    before_next, found, _ = (talk or "").partition(NEXT)
    gone_on = _behind(before_next) if found else ""
    # A template may close the last answer otherwise than those before it: not at all,
    # so that it can be gone on with, or with the end of the whole text.
    return closed if closed.strip() and not gone_on.startswith(closed) else gone_on


def _behind(text: str | None) -> str:
    if text is None or ANSWER not in text:
        return ""
    return text.rpartition(ANSWER)[2]


def _stop_text(lead: str, body: str) -> str:
    """The first line of `body` as a stop text, if no answer holds it by chance.

    Args:
        lead: the white space before it.
        body: what the template writes behind an answer, up to the first token.
    """
    line = body.partition("\n")[0].rstrip()
    behind = body[len(line) : len(line) + 1]
    starts_line = "\n" in lead
    if not any(c.isalpha() for c in line):
        return ""  # "---", "###", "]": these are Markdown, too
    if all(c.isalnum() or c.isspace() for c in line) and not (
        starts_line and behind == "\n"
    ):
        return ""  # a word that is no line of its own: answers are made of these
    # "### End" also begins "### Endocrine causes".
    whole = line + behind if line[-1].isalnum() else line
    return ("\n" if starts_line else lead[-1:]) + whole


@dataclass(frozen=True)
class FurtherEnds:
    """Where answers end by the template and, without help, not by llama.cpp."""

    tokens: frozenset[int] = frozenset()
    stops: tuple[str, ...] = ()

    @classmethod
    def of(cls, end: AnswerEnd, vocabulary: Vocabulary) -> FurtherEnds:
        """What `end` adds to the ends that the model's own file names."""
        if not end.text:
            return cls()
        if not end.is_token:
            return cls(stops=(end.text,))
        tokens = vocabulary.tokenize(end.text, special=True)
        if len(tokens) == 1 and vocabulary.ends_answer(tokens[0]):
            return cls()
        # Control tokens write no text, others do: both ways are looked for.
        return cls(frozenset(tokens if len(tokens) == 1 else ()), (end.text,))
