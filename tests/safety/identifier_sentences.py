"""Sentences with marked identifiers in four languages, and how they are scored.

They were written before the rules that they judge. Every third of a file was kept
aside, and looked at for the first time when the rules stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.safety.identifier_notes import Note, Planted

FOLDER = Path(__file__).with_name("identifier_cases")
LANGUAGES = ("english", "german", "french", "spanish")
MARK = re.compile(r"\{([A-Z]+)\|([^{}]+)\}")
EVERY = 3


def sentences(
    language: str, *, aside: bool | None = None, folder: Path = FOLDER
) -> Iterator[Note]:
    """The sentences of a language: those kept aside, the others, or (None) all."""
    lines = (folder / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    marked = [line for line in lines if line and not line.startswith("#")]
    for number, line in enumerate(marked):
        if aside in (None, number % EVERY == EVERY - 1):
            yield unmarked(line)


def unmarked(line: str) -> Note:
    """A line of {KIND|text} as the text, and where the marked parts stand in it."""
    text = ""
    planted: list[Planted] = []
    last = 0
    for mark in MARK.finditer(line):
        text += line[last : mark.start()]
        planted.append(Planted(mark[1], (len(text), len(text) + len(mark[2]))))
        text += mark[2]
        last = mark.end()
    return Note(text + line[last:], tuple(planted))
