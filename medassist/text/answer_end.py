"""Finds the text by which a chat template ends an answer, by rendering one.

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
from itertools import pairwise, takewhile
from typing import Literal

Turn = tuple[Literal["user", "assistant"], str]
Render = Callable[[Sequence[Turn], bool], str | None]
"""Renders turns, with or without a request for an answer; `None`: refused."""

_TALK: tuple[Turn, ...] = (
    ("user", "a-first-question-of-the-probe"),
    ("assistant", "a-first-answer-of-the-probe"),
    ("user", "a-second-question-of-the-probe"),
    ("assistant", "a-second-answer-of-the-probe"),
    ("user", "a-third-question-of-the-probe"),
)


@dataclass(frozen=True)
class AnswerEnd:
    """Text that a chat template writes behind an answer, and the part that ends it."""

    after: str = ""
    """All that stands behind an answer, the next question's opening included."""
    text: str = ""
    """The start of it, up to where no answer holds it by chance; with the line end
    before it, where one is. Empty: answers may hold all of it."""
    is_token: bool = False
    """Whether `text` is a token of its own."""


def answer_end(render: Render, specials: Iterable[str]) -> AnswerEnd:
    """Finds the text by which the chat template behind `render` ends an answer.

    Args:
        render: the template.
        specials: the texts of the tokens that stand for one thing each.
    """
    closed = _closed(render)
    after, first = _gone_on(render), closed
    if not closed.strip():
        first = after
    elif not after.startswith(closed):
        # A template may close the last answer otherwise than those before it.
        after = closed
    # Of two tokens that begin at one place, the longer one is meant.
    there = sorted({s for s in specials if s and s in after}, key=len, reverse=True)
    token = re.search("|".join(map(re.escape, there)), after) if there else None
    if text := _stop_text(after[: token.start()] if token else after, len(first)):
        return AnswerEnd(after, text)
    if token:
        return AnswerEnd(after, token[0], is_token=True)
    return AnswerEnd(after)


def _closed(render: Render) -> str:
    """Text behind the last answer, where no other one is asked for."""
    answer = _TALK[1][1]
    rendered = render(_TALK[:2], False) or ""
    return rendered.rpartition(answer)[2] if answer in rendered else ""


def _gone_on(render: Render) -> str:
    """Text between an answer and the next question, whichever they are."""
    rendered = render(_TALK, True) or ""
    between: list[str] = []
    for (_, answer), (_, question) in (_TALK[1:3], _TALK[3:5]):
        _, found, rest = rendered.partition(answer)
        text, found_too, _ = rest.partition(question)
        between.append(text if found and found_too else "")
    one, other = between
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in alike)  # some templates number the turns


def _stop_text(after: str, first: int) -> str:
    """The start of `after` that no answer holds by chance, as a stop text.

    Args:
        after: what the template writes behind an answer, up to the first token.
        first: how many characters of it close an answer; what follows opens the next
            question, which is taken where nothing before it will do.
    """
    start = len(after) - len(after.lstrip())
    lead = "\n" if "\n" in after[:start] else after[:start][-1:]
    line_starts = (found.end() for found in re.finditer("\n", after))
    cuts = sorted({c for c in (start, first, *line_starts) if start <= c < len(after)})
    for begin, stop in pairwise([*cuts, len(after)]):
        line = after[begin:stop].strip()
        end = len(after[:stop].rstrip())
        before, behind = after[: end - len(line)], after[end : end + 1]
        starts_line = "\n" in before[len(before.rstrip()) :]
        if _is_rare(line, whole=starts_line and behind == "\n"):
            # "### End" also begins "### Endocrine causes".
            end += line[-1].isalnum() and behind.isspace()
            return lead + after[start:end]
    return ""


def _is_rare(line: str, *, whole: bool) -> bool:
    """Whether answers hold `line` by intention alone; `whole`: it fills its line."""
    if not any(c.isalpha() for c in line):
        return False  # "---", "###", "]": these are Markdown, too
    is_words = all(c.isalnum() or c.isspace() for c in line)
    return whole or not is_words
