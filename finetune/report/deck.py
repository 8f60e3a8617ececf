"""Slides of a report, with editable PowerPoint charts and tables.

What does not fit on a slide goes on to a further one, or is said to stand in
report.html; nothing runs over an edge. The same report gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from finetune.report.same_bytes import same_zip
from finetune.report.slides import Slides
from medassist.core.run_folder import PAGE
from medassist.report.elements import (
    Bars,
    Intervals,
    Items,
    Lines,
    Listing,
    QuestionWithAnswers,
    Report,
    Section,
    Table,
    Text,
)
from medassist.report.shown import cut, shown

LINE = 88  # characters of a line of a slide's running text
MOST_LINES = 13
MOST_INTRODUCTION = 3  # lines above a table or chart
MOST_ANSWERS = 5  # slides with answers
MOST_QUESTION = 260  # characters
MOST_ANSWER = 620
MOST_REFERENCE = 240
MOST_CAPTION = 330


def deck(report: Report) -> bytes:
    """The deck as a .pptx file."""
    slides = Slides(report.title)
    slides.opening(report.title, report.subtitle, report.lead)
    if report.missing:
        lines = ["The run folder lacks these files, so this is left out:"]
        _sentences(slides, "Not in this report", lines, list(report.missing))
    for section in report.sections:
        _section(slides, section)
    written = io.BytesIO()
    slides.save(written)
    return same_zip(written.getvalue())


def _section(slides: Slides, section: Section) -> None:
    first = slides.count
    sentences: list[str] = []
    points: list[str] = []
    answers = 0

    def flush() -> None:
        if sentences or points:
            _sentences(slides, section.title, list(sentences), list(points))
            sentences.clear()
            points.clear()

    def introduction() -> str:
        """Text above a table or chart; a few sentences need no slide of their own."""
        said = " ".join(sentences)
        if points or len(said) > LINE * MOST_INTRODUCTION:
            flush()
            return ""
        sentences.clear()
        return said

    for part in section.parts:
        match part:
            case Text() if part.on_slides:
                if points:  # a sentence after a list begins something new
                    flush()
                sentences.append(part.text)
            case Items() if part.on_slides:
                points += (
                    [f"{place}. {item}" for place, item in enumerate(part.items, 1)]
                    if part.numbered
                    else list(part.items)
                )
            case Table() if part.on_slides:
                _table(slides, section, part, introduction())
            case Lines() | Intervals() | Bars() if part.on_slides:
                _chart(slides, part, introduction())
            case QuestionWithAnswers() if answers < MOST_ANSWERS:
                flush()
                answers += 1
                _answers(slides, part)
            case Text() | Items() | Table() | Lines() | Intervals() | Bars():
                pass  # stands on the page alone
            case QuestionWithAnswers() | Listing():
                pass
    flush()
    if section.notes and slides.count > first:
        slides.note(first, section.notes)


def _sentences(
    slides: Slides, title: str, sentences: list[str], points: list[str]
) -> None:
    """Sentences and a list, on as many slides as they need."""
    found = [(text, False) for text in sentences] + [(text, True) for text in points]
    for number, chunk in enumerate(_filled(found)):
        name = title if number == 0 else f"{title} (continued)"
        slides.sentences(name, chunk)


def _filled(texts: list[tuple[str, bool]]) -> Iterator[list[tuple[str, bool]]]:
    """The texts in groups that fill a slide each; a very long text is cut."""
    chunk: list[tuple[str, bool]] = []
    lines = 0.0
    for text, point in texts:
        short = cut(text, LINE * (MOST_LINES - 2))
        needs = -(-len(short) // LINE) + 0.45
        if chunk and lines + needs > MOST_LINES:
            yield chunk
            chunk, lines = [], 0.0
        chunk.append((short, point))
        lines += needs
    if chunk:
        yield chunk


def _table(slides: Slides, section: Section, table: Table, above: str) -> None:
    title = f"{section.title}: {_small(table.caption)}"
    left_out, foot = slides.table(title, table, above)
    said = f"{_left_out(left_out)} {table.note}".strip()
    slides.footnote(foot, cut(said, MOST_CAPTION))


def _chart(slides: Slides, chart: Lines | Intervals | Bars, above: str) -> None:
    left_out, foot = slides.chart(chart.title, chart, above)
    said = f"{_left_out(left_out)} {cut(chart.told, MOST_CAPTION)} {chart.note}"
    slides.footnote(foot, cut(said.strip(), MOST_CAPTION + 100))


def _left_out(rows: int) -> str:
    return f"{rows:,} more rows stand in {PAGE}." if rows else ""


def _answers(slides: Slides, part: QuestionWithAnswers) -> None:
    slides.answers(
        part.heading,
        cut(_one(part.question), MOST_QUESTION),
        _answer(part.base),
        _answer(part.tuned),
        cut(_one(part.reference), MOST_REFERENCE),
    )
    notes = [part.remark, f"Cut for the slide; the whole stands in {PAGE}."]
    slides.note(slides.count - 1, " ".join(note for note in notes if note))


def _answer(text: str) -> str:
    return cut(shown(text).strip() or "(nothing)", MOST_ANSWER)


def _one(text: str) -> str:
    return " ".join(shown(text).split())


def _small(caption: str) -> str:
    """A caption after a colon: small, unless it begins with a name."""
    first = caption.split(" ", 1)[0]
    return caption if not first.istitle() else caption[:1].lower() + caption[1:]
