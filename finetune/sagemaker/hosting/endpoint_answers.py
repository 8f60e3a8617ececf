"""Answers of an endpoint, printed as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from finetune.sagemaker.hosting.endpoint import OpenEndpoint
from finetune.sagemaker.hosting.question import EndpointQuestion, Side
from medassist.core.clean import Cleaner, clean_line


@dataclass(frozen=True)
class SideAnswer:
    """Answer of one side."""

    text: str
    tokens: int | None
    ended: bool
    """By itself, and not at --max-tokens."""


@dataclass(frozen=True)
class AskedBoth:
    """A question and its answers."""

    endpoint: str
    region: str
    question: str
    """Question as it was sent."""
    answers: dict[Side, SideAnswer]


def answers(
    found: OpenEndpoint,
    sides: Sequence[Side],
    asked: EndpointQuestion,
    out: TextIO | None,
) -> dict[Side, SideAnswer]:
    """Ask each side in turn.

    Args:
        found: the endpoint.
        sides: who is asked.
        asked: what.
        out: is written to as answers come, under headings where there are two; None:
            nowhere.

    Raises:
        SageMakerError: the endpoint gives no answer. What came of it is printed.
    """
    written: dict[Side, SideAnswer] = {}
    for number, side in enumerate(sides):
        if out is not None and len(sides) > 1:
            name = clean_line(found.served.base)
            told = f"{name} with the adapter" if side == "tuned" else name
            out.write(f"{chr(10) if number else ''}## {side}: {told}\n\n")
        written[side] = _answer(found, side, asked, out)
    return written


def _answer(
    found: OpenEndpoint, side: Side, asked: EndpointQuestion, out: TextIO | None
) -> SideAnswer:
    # What a model writes is not trusted with a terminal.
    cleaner, begun = Cleaner(), False

    def take(text: str) -> None:
        nonlocal begun
        if out is None:
            return
        shown = cleaner.push(text if begun else text.lstrip())
        begun = begun or bool(shown)
        out.write(shown)
        out.flush()

    answer = found.endpoint.answer(side, asked, take)
    if out is not None:
        out.write(cleaner.finish())
        cut = "" if answer.ended else f"\n(cut off at --max-tokens {asked.max_tokens})"
        out.write(f"{cut}\n")
    return SideAnswer(answer.text, answer.tokens, answer.ended)
