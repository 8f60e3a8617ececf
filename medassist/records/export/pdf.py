"""The export as PDF, for a paper file.

The fonts that every PDF reader has know Western European letters only, so a font of
this computer is embedded where one is found. What it lacks is written as [U+4E2D] and
told. Scripts whose letters join or run from right to left need a text engine that is
not here: for those the export is refused, and the HTML page is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medassist.records.errors import RecordsError
from medassist.records.export.export_document import (
    HIDDEN,
    INTENT,
    THOUGHT,
    AnswerPart,
    ExportDocument,
    time_line,
    verdict_line,
    warning_line,
)

if TYPE_CHECKING:
    from fpdf import FPDF

FOLDERS = (
    "~/.local/share/fonts",
    "~/.fonts",
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/Library/Fonts",
    "/System/Library/Fonts/Supplemental",
)
FONTS = ("DejaVuSans", "NotoSans-Regular", "LiberationSans-Regular", "Arial")
"""Fonts by how many letters they have, most first; the first found is taken."""
NEEDS_SHAPING = ((0x0590, 0x109F), (0x1780, 0x17FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC))
"""Hebrew, Arabic, the scripts of India, Thai, Lao, Tibetan, Burmese, Khmer."""
POINTS = 10
SMALL = 8
LINE_MM = 5


def pdf(document: ExportDocument) -> tuple[bytes, tuple[str, ...]]:
    """The document as PDF, and what the user has to know about it.

    Raises:
        RecordsError: fpdf2 is not installed, or a script cannot be set.
    """
    try:
        from fpdf import FPDF
    except ImportError:
        raise RecordsError(
            "A PDF needs the package fpdf2, which is not installed. Install it beside "
            "medassist, or export HTML and print that."
        ) from None
    _check_scripts(document)

    class Paper(FPDF):
        """Says on each page whether it was reviewed."""

        def header(self) -> None:
            writing.put(document.status, SMALL, after=LINE_MM)

        def footer(self) -> None:
            self.set_y(-15)
            writing.put(f"{INTENT}  Page {self.page_no()}", SMALL)

    paper = Paper(format="A4")
    writing = _Writing(paper)
    paper.set_auto_page_break(True, margin=20)
    paper.set_title(writing.fitting(document.title))
    paper.add_page()
    _body(document, writing)
    return bytes(paper.output()), writing.notices


class _Writing:
    """Puts text on the paper in the one font that there is."""

    def __init__(self, paper: FPDF) -> None:
        self._paper = paper
        self._lacking: set[str] = set()
        self._known: frozenset[int] | None = None
        font = _font()
        if font is None:
            self._family = "helvetica"
        else:
            self._family = "embedded"
            self._known = _characters(font)
            paper.add_font(self._family, fname=font)

    @property
    def notices(self) -> tuple[str, ...]:
        if not self._lacking:
            return ()
        return (
            f"{len(self._lacking)} different characters are not in the font that the "
            "PDF was made with; each is written as [U+number]. The HTML export shows "
            "them.",
        )

    def fitting(self, text: str) -> str:
        """The text with what the font lacks spelt out."""
        return "".join(map(self._spelt, text.replace("\t", "    ")))

    def put(
        self, text: str, points: int = POINTS, *, boxed: bool = False, after: float = 0
    ) -> None:
        """Write a paragraph; boxed: on grey, which is for what others wrote."""
        paper = self._paper
        paper.set_font(self._family, size=points)
        paper.set_fill_color(240)
        paper.multi_cell(
            0,
            LINE_MM * points / POINTS,
            self.fitting(text),
            align="L",
            fill=boxed,
            padding=2 if boxed else 0,
            new_x="LMARGIN",
            new_y="NEXT",
        )
        if after:
            paper.ln(after)

    def _spelt(self, character: str) -> str:
        if character == "\n" or self._has(character):
            return character
        self._lacking.add(character)
        return f"[U+{ord(character):04X}]"

    def _has(self, character: str) -> bool:
        if self._known is not None:
            return ord(character) in self._known
        try:
            character.encode("latin-1")
        except UnicodeEncodeError:
            return False
        return True


def _body(document: ExportDocument, writing: _Writing) -> None:
    writing.put(document.title, 16, after=3)
    writing.put(f"Consultation of {time_line(document.created)}.")
    if document.hidden:
        writing.put(HIDDEN)
    if document.warned:
        found = ", ".join(warning_line(w) for w in document.warned)
        writing.put(f"Identifiers warned of: {found}.")
    for turn in document.turns:
        writing.put(f"\nQuestion {turn.number}", 13, after=1)
        writing.put(turn.question, boxed=True, after=2)
        if turn.left_out:
            writing.put("Not sent with later questions.")
        for flag in turn.flags:
            writing.put(f"Red flag shown: {flag.title} (rule {flag.rule})")
            writing.put(flag.text, boxed=True)
            writing.put(f"Source: {flag.source}", SMALL, after=2)
        for answer in turn.answers:
            _answer(answer, writing)
        for verdict in turn.verdicts:
            writing.put(f"Verdict: {verdict_line(verdict, document.hidden)}", 11)


def _answer(answer: AnswerPart, writing: _Writing) -> None:
    kind = f"{answer.pane} model, " if answer.pane else ""
    earlier = "" if answer.shown else " (another answer to the same question)"
    writing.put(f"Answer {answer.side}: {kind}{answer.model}{earlier}", 11)
    writing.put(f"State: {answer.state}", SMALL)
    facts = "; ".join(f"{name}: {value}" for name, value in answer.facts)
    if facts:
        writing.put(facts, SMALL)
    writing.put(answer.text or "(nothing)", boxed=True, after=3)
    if answer.thought:
        writing.put(THOUGHT, SMALL)
        writing.put(answer.thought, SMALL, boxed=True, after=3)


def _texts(document: ExportDocument) -> Iterator[str]:
    yield document.title
    for turn in document.turns:
        yield turn.question
        for flag in turn.flags:
            yield f"{flag.title} {flag.text} {flag.source}"
        for answer in turn.answers:
            yield f"{answer.model} {answer.text} {answer.thought}"
        for verdict in turn.verdicts:
            yield verdict.note


def _check_scripts(document: ExportDocument) -> None:
    for text in _texts(document):
        for character in set(text):
            if any(low <= ord(character) <= high for low, high in NEEDS_SHAPING):
                raise RecordsError(
                    "This consultation holds a script that the PDF export cannot set "
                    "correctly (letters that join or run from right to left). Export "
                    "HTML instead and print that."
                )


def _font() -> Path | None:
    for name in FONTS:
        for folder in FOLDERS:
            found = next(Path(folder).expanduser().rglob(f"{name}.ttf"), None)
            if found is not None:
                return found
    return None


def _characters(font: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont  # pyright: ignore[reportMissingTypeStubs]

    with TTFont(font, lazy=True) as opened:
        return frozenset(opened.getBestCmap() or {})
