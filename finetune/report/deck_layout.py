"""Slides in 16:9: the layouts, titles, text boxes, notes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import IO, Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Inches, Pt

from finetune.report.parts import Role
from finetune.report.shown import cut, shown, shown_line

WIDTH, HEIGHT = 13.333, 7.5  # inches
MARGIN = 0.65
TITLE_TOP, TITLE_HEIGHT = 0.4, 0.85
BODY_TOP = 1.4
FOOT = 0.95  # for a footnote and the number of the slide
CONTENT_HEIGHT = HEIGHT - BODY_TOP - 0.55
INK = RGBColor(0x1B, 0x1F, 0x24)
QUIET = RGBColor(0x57, 0x60, 0x6A)
RAISED = RGBColor(0xF3, 0xF5, 0xF8)
RULE = RGBColor(0xD0, 0xD7, 0xDE)
ROLE_COLOURS: dict[Role, RGBColor] = {
    "base": RGBColor(0x00, 0x72, 0xB2),
    "tuned": RGBColor(0xC2, 0x4E, 0x00),
    "training": RGBColor(0x8A, 0x93, 0xA0),
    "validation": RGBColor(0x00, 0x7A, 0x5A),
    "neutral": RGBColor(0x7A, 0x84, 0x90),
}
_NUMBER = re.compile(r"\d+\. ")
FONT = b"Arial"  # is, or has an equal of the same widths, on every computer
BODY_SIZE = 20
INTRODUCTION_LINE = 105  # characters of 16 pt on a line
MOMENT = datetime.datetime(2000, 1, 1)  # noqa: DTZ001  (python-pptx wants it bare)
_TITLE, _TEXT, _TITLE_ONLY = 0, 1, 5  # layouts of python-pptx's own template
# python-pptx's types of shapes and slides say little: they stay Any here.
Slide = Any
Run = tuple[str, bool, RGBColor | None]
"""Words, whether they are bold, their colour."""


class Deck:
    """A presentation that is being written."""

    def __init__(self, name: str) -> None:
        self._name = shown_line(name)
        self._deck: Any = Presentation()
        self._deck.slide_width, self._deck.slide_height = Inches(WIDTH), Inches(HEIGHT)
        self._layouts = [
            self._deck.slide_layouts[number] for number in (_TITLE, _TEXT, _TITLE_ONLY)
        ]
        for layout in list(self._deck.slide_layouts):
            if layout not in self._layouts:
                self._deck.slide_layouts.remove(layout)
        self._widen()
        self._set_properties()

    @property
    def count(self) -> int:
        """Slides so far."""
        return len(self._deck.slides)

    def save(self, file: IO[bytes]) -> None:
        """Write it as .pptx."""
        self._deck.save(file)

    def title_slide(self, title: str, subtitle: str, lead: list[str]) -> None:
        """The first slide: what it is, and what came out."""
        slide = self._deck.slides.add_slide(self._layouts[0])
        _write(slide.shapes.title.text_frame, [[(title, True, INK)]], 40)
        paragraphs: list[Sequence[Run]] = [[(subtitle, False, QUIET)]]
        paragraphs += [[(cut(said, 300), False, INK)] for said in lead[:4]]
        frame = slide.placeholders[1].text_frame
        _write(frame, paragraphs, 20 if len(lead) < 4 else 18, after=12)
        self.note(self.count - 1, " ".join(lead))

    def slide(self, title: str) -> Slide:
        """A slide with a title and room for the rest."""
        slide = self._deck.slides.add_slide(self._layouts[2])
        self._finish(slide, title)
        return slide

    def text_slide(self, title: str, texts: list[tuple[str, bool]]) -> Slide:
        """A slide of sentences; those marked True are points of a list."""
        slide = self._deck.slides.add_slide(self._layouts[1])
        self._finish(slide, title)
        frame = slide.placeholders[1].text_frame
        _write(frame, [[(text, False, INK)] for text, _ in texts], BODY_SIZE, after=9)
        for paragraph, (_, point) in zip(frame.paragraphs, texts, strict=True):
            _bullet(paragraph, shows=point)
        return slide

    def introduction(self, slide: Slide, words: str) -> float:
        """Sentences above a table or chart; returns the top of the room below."""
        if not words:
            return BODY_TOP
        height = 0.3 * -(-len(words) // INTRODUCTION_LINE) + 0.2
        place = (MARGIN, BODY_TOP, WIDTH - 2 * MARGIN, height)
        self.box(slide, *place, [(words, False, INK)], size=16)
        return BODY_TOP + height

    def box(
        self,
        slide: Slide,
        left: float,
        top: float,
        width: float,
        height: float,
        runs: list[Run],
        *,
        size: int = 12,
        joined: bool = False,
    ) -> None:
        """A text box; `joined` puts all runs into one paragraph."""
        shape = slide.shapes.add_textbox(
            Inches(left), Inches(top), Inches(width), Inches(height)
        )
        frame = shape.text_frame
        _plain(frame)
        _write(frame, [runs] if joined else [[run] for run in runs], size)

    def panel(
        self,
        slide: Slide,
        place: tuple[float, float, float, float],
        name: str,
        words: str,
        colour: RGBColor,
    ) -> None:
        """A raised panel with a name above its words.

        Args:
            slide: where it is put.
            place: left, top, width and height in inches.
            name: the heading.
            words: set smaller where they are many.
            colour: of the bar above.
        """
        left, top, width, height = (Inches(value) for value in place)
        panel = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, left, top, width, height)
        panel.fill.solid()
        panel.fill.fore_color.rgb = RAISED
        panel.line.fill.background()
        _bare(panel)
        frame = panel.text_frame
        _plain(frame, inset=0.15)
        lines = sum(1 + len(line) // 58 for line in words.split("\n"))
        size = 16 if lines <= 9 else 14 if lines <= 11 else 12
        if lines > 16:
            words = cut(" ".join(words.split()), 600)
        _write(frame, [[(name, True, colour)], [(words, False, INK)]], size, after=4)
        bar = slide.shapes.add_shape(
            MSO_SHAPE.RECTANGLE, left, top, width, Inches(0.06)
        )
        bar.fill.solid()
        bar.fill.fore_color.rgb = colour
        bar.line.fill.background()
        _bare(bar)
        bar._element.nvSpPr.cNvPr.set("descr", "")

    def footnote(self, slide: Slide, words: str) -> None:
        """Small words at the foot of a slide."""
        self.box(
            slide,
            MARGIN,
            HEIGHT - 0.55 - 0.72,
            WIDTH - 2 * MARGIN,
            0.72,
            [(words, False, QUIET)],
            size=12,
        )

    def note(self, number: int, words: str) -> None:
        """What the speaker says to slide `number`, from 0."""
        frame = self._deck.slides[number].notes_slide.notes_text_frame
        frame.text = shown(words)

    def _finish(self, slide: Slide, title: str) -> None:
        words = cut(shown_line(title), 120)
        size = 30 if len(words) <= 62 else 24
        _write(slide.shapes.title.text_frame, [[(words, True, INK)]], size)
        shape = slide.shapes.add_textbox(
            Inches(MARGIN),
            Inches(HEIGHT - 0.5),
            Inches(WIDTH - 2 * MARGIN),
            Inches(0.3),
        )
        frame = shape.text_frame
        _plain(frame)
        _write(frame, [[(cut(self._name, 80) + "   ", False, QUIET)]], 10)
        # PowerPoint counts the slides itself, so that they can be put in another order.
        frame.paragraphs[0]._p.append(
            parse_xml(
                f'<a:fld {nsdecls("a")} id="{{5C2A3F10-0000-4000-8000-000000000001}}" '
                'type="slidenum"><a:rPr lang="en-GB" sz="1000"><a:solidFill>'
                f'<a:srgbClr val="{QUIET}"/></a:solidFill></a:rPr>'
                f"<a:t>{self.count}</a:t></a:fld>"
            )
        )

    def _widen(self) -> None:
        """Give the template's layouts, which are 4:3, places for 16:9."""
        full = WIDTH - 2 * MARGIN
        for holder in (self._deck.slide_master, *self._layouts):
            first = holder is self._layouts[0]
            for shape in list(holder.placeholders):
                match shape.placeholder_format.type:
                    case 1 | 3:  # title, centred title
                        place = (
                            (MARGIN, 1.0, full, 1.1)
                            if first
                            else (MARGIN, TITLE_TOP, full, TITLE_HEIGHT)
                        )
                    case 2 | 7 | 4:  # body, content, subtitle
                        place = (
                            (MARGIN, 2.2, full, 4.4)
                            if first
                            else (MARGIN, BODY_TOP, full, CONTENT_HEIGHT)
                        )
                    case _:  # date, footer, number: ours stand on the slides
                        shape._element.getparent().remove(shape._element)
                        continue
                shape.left, shape.top, shape.width, shape.height = (
                    Inches(value) for value in place
                )
                frame = shape.text_frame
                frame.vertical_anchor = MSO_ANCHOR.TOP
                _plain(frame, anchor=False)
                if shape.placeholder_format.type in (1, 3):
                    frame.vertical_anchor = MSO_ANCHOR.BOTTOM
                for paragraph in frame.paragraphs:
                    paragraph.alignment = PP_ALIGN.LEFT
        theme = self._deck.slide_master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
        theme._blob = theme.blob.replace(b"Calibri", FONT)

    def _set_properties(self) -> None:
        about = self._deck.core_properties
        about.title = cut(self._name, 200)
        about.author = about.last_modified_by = "medassist"
        about.subject = "Base against tuned: a fine-tune reported"
        about.comments = about.keywords = about.category = ""
        about.created = about.modified = MOMENT
        about.revision = 1


def _bare(shape: Any) -> None:
    """Without the theme's shadows and edges."""
    style = shape._element.find(qn("p:style"))
    if style is not None:
        shape._element.remove(style)


def _plain(frame: Any, *, inset: float = 0.0, anchor: bool = True) -> None:
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = Inches(inset)
    frame.margin_top = frame.margin_bottom = Inches(inset)
    if anchor:
        frame.vertical_anchor = MSO_ANCHOR.TOP


def _write(
    frame: Any, paragraphs: Sequence[Sequence[Run]], size: int, *, after: int = 0
) -> None:
    """Fill a text frame; all words are cleaned on their way."""
    for place, runs in enumerate(paragraphs):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.alignment = PP_ALIGN.LEFT
        paragraph.space_after = Pt(after)
        paragraph.space_before = Pt(0)
        for words, bold, colour in runs:
            for number, line in enumerate(shown(words).split("\n")):
                if number:
                    paragraph.add_line_break()
                run = paragraph.add_run()
                run.text = line.replace("\t", "    ")
                run.font.size = Pt(size)
                run.font.bold = bold
                run.font.color.rgb = colour or INK


def _bullet(paragraph: Any, *, shows: bool) -> None:
    """A point with a bullet, or a plain sentence, whatever the layout says."""
    properties = paragraph._p.get_or_add_pPr()
    numbered = shows and _NUMBER.match(paragraph.text) is not None
    for old in list(properties):
        if old.tag.endswith(("}buNone", "}buChar")):
            properties.remove(old)
    if shows:
        properties.set("marL", str(Inches(0.3)))
        properties.set("indent", str(-Inches(0.3)))
        bullet = f'<a:buChar {nsdecls("a")} char="\N{BULLET}"/>'
        if numbered:
            bullet = f"<a:buNone {nsdecls('a')}/>"
    else:
        properties.set("marL", "0")
        properties.set("indent", "0")
        bullet = f"<a:buNone {nsdecls('a')}/>"
    properties.append(parse_xml(bullet))
