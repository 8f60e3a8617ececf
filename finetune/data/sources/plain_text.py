"""Plain text: a file, or a folder of files, in pieces of whole paragraphs.

For books (Project Gutenberg's medical ones) and corpora that come as text. An empty
line ends a paragraph; in files whose lines are not broken to a width each line is one.
A piece holds paragraphs up to a length, and the pieces of a file stay together in a
split as long as there are files enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.data.documents import sentences
from finetune.data.prepared_records import Licence, TextRecord
from finetune.data.sources.data_source import LONGEST_RECORD, Broken, Read, SourceInfo
from finetune.data.sources.inputs import compressed, inputs
from finetune.data.sources.text_lines import lines
from finetune.errors import FinetuneError

NAME = "text"
PIECE = 4000  # characters, a printed page or two
LONGEST_WRAPPED = 200  # characters of a line that somebody broke to a width
LOOKED_AT = 2000  # lines of a file's beginning
FRAME = 400  # lines in which Project Gutenberg's own words end
# What Project Gutenberg puts around a book is no part of it.
_BEGINS = re.compile(r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_ENDS = re.compile(
    r"^(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the )?Project "
    r"Gutenberg)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PlainText:
    """The paragraphs of text files.

    Attributes:
        licence: of all of it, as you know it; files of text say none.
        piece: characters that a record has at most, unless a sentence has more.
        encoding: of the files; by default it is found out line by line.
    """

    licence: str = "unknown"
    piece: int = PIECE
    encoding: str = ""

    def __post_init__(self) -> None:
        if self.piece < 1:
            raise FinetuneError(f"{NAME}: `piece` is {self.piece}; expected 1 or more")

    def files(self, root: Path) -> list[Path]:
        return inputs(root, compressed(".txt", ".text", ".md"), "plain text")

    def read(self, file: Path) -> Iterator[Read]:
        evidence = (
            "text files say no licence; name it by the option `licence`"
            if self.licence == "unknown"
            else "said by whoever made the recipe"
        )
        licence = Licence(name=self.licence, evidence=evidence)
        number = 0
        for found in self._pieces(file):
            if isinstance(found, Broken):
                yield found
                continue
            number += 1
            yield TextRecord(
                id=f"{file.name}:{number}",
                source=NAME,
                group=file.name,
                licence=licence,
                title=file.stem,
                text=found,
            )

    def _pieces(self, file: Path) -> Iterator[str | Broken]:
        held: list[str] = []
        size = 0
        for found in _paragraphs(file, self.encoding):
            if isinstance(found, Broken):
                yield found
                continue
            for part in _within(found, self.piece):
                if held and size + len(part) > self.piece:
                    yield "\n\n".join(held)
                    held, size = [], 0
                held.append(part)
                size += len(part) + 2
        if held:
            yield "\n\n".join(held)


@dataclass(frozen=True)
class _Form:
    """Form of a file, by its beginning."""

    gutenberg: bool
    line_is_paragraph: bool


def _form(file: Path, encoding: str) -> _Form:
    gutenberg = False
    total = long = 0
    for line in lines(file, encoding):
        text = line.text.strip()
        gutenberg = gutenberg or (
            line.number <= FRAME and _BEGINS.match(text) is not None
        )
        total += len(text)
        long += len(text) * (len(text) > LONGEST_WRAPPED)
        if line.number >= LOOKED_AT or total > LONGEST_RECORD:
            break
    return _Form(gutenberg, long * 2 > total)


def _paragraphs(file: Path, encoding: str) -> Iterator[str | Broken]:
    """Paragraphs, their lines joined; without what Gutenberg puts around a book."""
    form = _form(file, encoding)
    held: list[str] = []
    size = 0
    inside = not form.gutenberg
    for line in lines(file, encoding):
        if line.problem:
            yield Broken(f"line {line.number}", str(file), line.problem)
            continue
        text = line.text.strip()
        if not inside:
            inside = _BEGINS.match(text) is not None
            continue
        if _ENDS.match(text):
            break
        size += len(text)
        if text and size <= LONGEST_RECORD and not form.line_is_paragraph:
            held.append(text)
            continue
        if held:
            yield " ".join(held)
        held, size = [text] if text else [], len(text)
    if held:
        yield " ".join(held)


def _within(paragraph: str, piece: int) -> Iterator[str]:
    """The paragraph, cut after sentences where it is longer than a piece may be."""
    if len(paragraph) <= piece:
        yield paragraph
        return
    held = ""
    for sentence in sentences(paragraph):
        if held and len(held) + 1 + len(sentence) > piece:
            yield held
            held = ""
        held = f"{held} {sentence}" if held else sentence
    yield held


INFO = SourceInfo(
    name=NAME,
    title="Plain text",
    about="A file or folder of .txt or .md, in pieces of whole paragraphs: books, "
    "corpora, notes.",
    licence="as you say",
    terms="Text files say no licence: name it by the option `licence`, or the records "
    "are left out as unknown.",
    kind="text",
    open_source=PlainText,
    options=("licence", "piece", "encoding"),
)
