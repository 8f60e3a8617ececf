"""Slides from the template: placeholders are filled, and nothing is placed by hand.

What a slide looks like stands in templates/slides.pptx: its layouts with their places,
sizes of type and colours. `tools/slides_template.py` writes it.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from pptx import Presentation
from pptx.util import Pt

from finetune.report.native_charts import add_chart
from finetune.report.slide_tables import add_table
from medassist.report.elements import Bars, Intervals, Lines, Table
from medassist.report.shown import cut, shown, shown_line

TEMPLATE = Path(__file__).parent / "templates" / "slides.pptx"
MOMENT = datetime.datetime(2000, 1, 1)  # noqa: DTZ001  (python-pptx wants it bare)
_BODY, _FILLED, _ABOVE, _FOOT, _BASE, _TUNED = 1, 10, 11, 12, 13, 14  # placeholders
_SENTENCE, _POINT, _NUMBERED = 0, 1, 2  # levels of the layout for sentences
_NUMBER = re.compile(r"\d+\. ")
# python-pptx's types of shapes and slides say little: they stay Any here.


class Slides:
    """A presentation that is being written."""

    def __init__(self, name: str) -> None:
        name = shown_line(name)
        self._deck: Any = Presentation(str(TEMPLATE))
        self._layouts = {layout.name: layout for layout in self._deck.slide_layouts}
        for shape in self._deck.slide_master.shapes:
            if shape.name == "Name and number":
                shape.text_frame.paragraphs[0].runs[0].text = cut(name, 80)
        about = self._deck.core_properties
        about.title = cut(name, 200)
        about.author = about.last_modified_by = "medassist"
        about.subject = "Base against tuned: a fine-tune reported"
        about.created = about.modified = MOMENT
        about.revision = 1

    @property
    def count(self) -> int:
        """Slides so far."""
        return len(self._deck.slides)

    def save(self, file: IO[bytes]) -> None:
        """Write it as .pptx."""
        self._deck.save(file)

    def opening(self, title: str, subtitle: str, lead: Sequence[str]) -> None:
        """The first slide: what it is, and what came out."""
        holders = self._slide("Opening", title)
        size = 18 if len(lead) >= 4 else None
        said = [(cut(words, 300), 1) for words in lead[:4]]
        _write(holders[_BODY], [(subtitle, 0), *said], size)
        self.note(self.count - 1, " ".join(lead))

    def sentences(self, title: str, texts: Sequence[tuple[str, bool]]) -> None:
        """A slide of sentences; those marked True are points of a list."""
        holders = self._titled("Sentences", title)
        _write(holders[_BODY], [(text, _level(text, point)) for text, point in texts])

    def table(self, title: str, table: Table, above: str) -> tuple[int, Any]:
        """A slide with a table, below the words `above` if there are any.

        Returns:
            How many rows did not fit, and where a footnote goes.
        """
        holders = self._below("table", title, above)
        return add_table(holders[_FILLED], table), holders[_FOOT]

    def chart(
        self, title: str, chart: Lines | Intervals | Bars, above: str
    ) -> tuple[int, Any]:
        """A slide with a chart; as `table`."""
        holders = self._below("chart", title, above)
        return add_chart(holders[_FILLED], chart), holders[_FOOT]

    def footnote(self, holder: Any, words: str) -> None:
        """Fill the place of a footnote, or take it away."""
        if words:
            _write(holder, [(words, 0)])
        else:
            holder._element.getparent().remove(holder._element)

    def answers(
        self, title: str, question: str, base: str, tuned: str, reference: str
    ) -> None:
        """A slide with two answers side by side, set smaller where they are long."""
        holders = self._titled("Answers", title)
        _write(holders[_ABOVE], [("Asked", 0), (question, 1)])
        for number, name, words in (
            (_BASE, "Base model", base),
            (_TUNED, "Tuned model", tuned),
        ):
            lines = sum(1 + len(line) // 58 for line in words.split("\n"))
            size = None if lines <= 9 else 14 if lines <= 11 else 12
            if lines > 16:
                words = cut(" ".join(words.split()), 600)
            _write(holders[number], [(name, 0), (words, 1)], size)
        self.footnote(holders[_FOOT], reference and f"Reference answer: {reference}")

    def note(self, number: int, words: str) -> None:
        """Speaker's note of slide `number`, from 0."""
        frame = self._deck.slides[number].notes_slide.notes_text_frame
        frame.text = shown(words)

    def _below(self, kind: str, title: str, above: str) -> dict[int, Any]:
        layout = f"Words and {kind}" if above else kind.capitalize()
        holders = self._titled(layout, title)
        if above:
            _write(holders[_ABOVE], [(above, 0)])
        return holders

    def _titled(self, layout: str, title: str) -> dict[int, Any]:
        words = cut(shown_line(title), 120)
        return self._slide(layout, words, None if len(words) <= 62 else 24)

    def _slide(
        self, layout: str, title: str, size: int | None = None
    ) -> dict[int, Any]:
        """A new slide; its placeholders by number."""
        slide = self._deck.slides.add_slide(self._layouts[layout])
        _write(slide.shapes.title, [(title, 0)], size)
        return {holder.placeholder_format.idx: holder for holder in slide.placeholders}


def _level(text: str, point: bool) -> int:
    if not point:
        return _SENTENCE
    return _NUMBERED if _NUMBER.match(text) else _POINT


def _write(
    holder: Any, paragraphs: Sequence[tuple[str, int]], size: int | None = None
) -> None:
    """Fill a placeholder with words and their levels; all are cleaned on their way.

    Args:
        holder: the placeholder.
        paragraphs: words, and the level of the layout that they are set in.
        size: points, where the layout's own are too large.
    """
    frame = holder.text_frame
    for place, (words, level) in enumerate(paragraphs):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.level = level
        for number, line in enumerate(shown(words).split("\n")):
            if number:
                paragraph.add_line_break()
            run = paragraph.add_run()
            run.text = line.replace("\t", "    ")
            run.font.size = Pt(size) if size else None
