"""Splits an answer into sentences, with their positions."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 800
"""Characters after which a sentence counts as over: a model that repeats itself may
never end one, and what compares two takes the square of their length."""

# What Markdown puts before a line's text: quote, heading, bullet, number.
_LEAD = re.compile(r"\s*(?:(?:>|#{1,6}|[-*+\u2022\u2023\u2013]|\(?\d{1,3}[.)])\s+)*")
_TABLE_LEAD = re.compile(r"\s*\|\s*")
_EMPTY = re.compile(r"[\s|:_*`#=~-]*$")
_END = re.compile(r"(?<![.!?])[.!?]{1,4}[\"'\u201d\u2019)\]*_]{0,4}(?=\s)")
_SHORT_FORM = re.compile(
    r"(?:\b(?:e\.?g|i\.?e|vs|ca|cf|resp|approx|max|min|no|dr|mrs?|ms|prof|st|fig|incl"
    r"|al)|\b[A-Z])\.$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A part of a text, from `start` up to `end`."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Sentence]:
    r"""The sentences of `text`, without what Markdown puts before and between them.

    "- Take 5 mg. Rest.\n- Drink." -> "Take 5 mg.", "Rest.", "Drink."

    A line is at least one sentence: bullets often end without a full stop.
    """
    found: list[Sentence] = []
    start = 0
    for line in text.splitlines(keepends=True):
        found += _of_line(text, start, start + len(line))
        start += len(line)
    return found


def _of_line(text: str, start: int, end: int) -> list[Sentence]:
    for lead in (_TABLE_LEAD, _LEAD):
        # Always matches, if only nothing.
        match = lead.match(text, start, end)
        start = match.end() if match else start
    found: list[Sentence] = []
    while start < end:
        stop = _stop(text, start, end)
        first, last = _stripped(text, start, stop)
        if first < last and not _EMPTY.match(text[first:last]):
            found.append(Sentence(first, last, text[first:last]))
        start = stop
    return found


def _stop(text: str, start: int, end: int) -> int:
    if end - start > LONGEST:
        space = text.rfind(" ", start + 1, start + LONGEST)
        end = space if space > 0 else start + LONGEST
    for match in _END.finditer(text, start, end):
        follows = text[match.end() : end][:9].lstrip()[:1]
        if not follows or follows.islower():
            continue
        if match.group() == "." and _SHORT_FORM.search(text[start : match.end()]):
            continue
        return match.end()
    return end


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
