"""The slides: they come from the template, and say what the page says."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from pptx import Presentation

from finetune.report.deck import deck
from finetune.report.slides import TEMPLATE
from medassist.report.charts.bars import draw_bars
from medassist.report.charts.intervals import draw_intervals
from medassist.report.charts.lines import draw_lines
from medassist.report.elements import (
    Bar,
    BarGroup,
    Bars,
    Curve,
    Interval,
    Intervals,
    Lines,
    Part,
    Report,
    Section,
)
from tools.slides_template import template

LINES = Lines(
    "Loss",
    "Tokens",
    "Nats",
    (Curve("Training", "training", ((0.04, 3.3), (0.5, 2.9), (1.13, 2.61))),),
    "It fell.",
)
BARS = Bars(
    "Right",
    "Of 100",
    (("Base", "base"), ("Tuned", "tuned")),
    (BarGroup("Exam", (Bar("base", 0.0), Bar("tuned", 31.0, 20.0, 44.0))),),
    "More.",
)


def intervals(count: int) -> Intervals:
    rows = tuple(Interval(f"Set {n}", -0.2, -0.3, -0.1 * n) for n in range(count))
    return Intervals("Difference", "Nats", rows, "Less.", left="tuned", right="base")


def slides_of(*parts: Part) -> Any:
    sections = (Section("one", "One", parts),)
    content = deck(Report("A report", "Of a run", ("It went well.",), sections))
    return Presentation(io.BytesIO(content)).slides


def chart_of(part: Part) -> Any:
    shapes = slides_of(part)[1].shapes
    return next(shape.chart for shape in shapes if shape.has_chart)


def ticks(svg: str, anchor: str) -> list[float]:
    found = re.findall(rf'class="tick" text-anchor="{anchor}"[^>]*>([^<]+)<', svg)
    return [float(word.replace("\N{MINUS SIGN}", "-")) for word in found]


@pytest.mark.parametrize(
    ("axis", "part", "written"),
    [
        ("value_axis", LINES, ticks(draw_lines(LINES, 1), "end")),
        ("category_axis", LINES, ticks(draw_lines(LINES, 1), "middle")),
        ("value_axis", BARS, ticks(draw_bars(BARS, 1), "end")),
        ("value_axis", intervals(3), ticks(draw_intervals(intervals(3), 1), "middle")),
    ],
    ids=["lines up", "lines across", "bars", "intervals"],
)
def test_a_slides_axis_is_that_of_the_page(
    axis: str, part: Part, written: list[float]
) -> None:
    found = getattr(chart_of(part), axis)
    assert found.minimum_scale == written[0]
    assert found.major_unit == pytest.approx(written[1] - written[0])
    assert written[-1] <= found.maximum_scale < written[-1] + found.major_unit


def test_a_chart_of_nothing_but_zeros_has_an_axis() -> None:
    groups = (BarGroup("None", (Bar("base", 0.0),)),)
    none = Bars("Right", "Of 100", (("Base", "base"),), groups, "None.")
    assert ticks(draw_bars(none, 1), "end")[0] == 0.0


def test_intervals_that_have_no_room_on_a_slide_are_counted_there() -> None:
    for count, said in ((12, False), (15, True)):
        slide = slides_of(intervals(count))[1]
        text = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
        assert ("3 more rows stand in report.html." in text) == said


def test_no_placeholder_of_the_template_is_left_empty() -> None:
    for slide in slides_of(LINES, BARS, intervals(2)):
        for holder in slide.placeholders:
            assert not holder.has_text_frame or holder.text_frame.text.strip()


def test_the_template_that_is_shipped_is_what_its_script_writes() -> None:
    with (
        zipfile.ZipFile(TEMPLATE) as shipped,
        zipfile.ZipFile(io.BytesIO(template())) as written,
    ):
        assert {n: shipped.read(n) for n in shipped.namelist()} == {
            n: written.read(n) for n in written.namelist()
        }
