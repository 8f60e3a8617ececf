"""A report as one HTML page, without scripts or outside resources.

The page's content-security policy lets a browser apply its one style sheet, named by
its hash, and fetch nothing; every text is escaped on its way in.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medassist.report.charts.bars import draw_bars
from medassist.report.charts.intervals import draw_intervals
from medassist.report.charts.lines import draw_lines
from medassist.report.charts.scatter import draw_scatter
from medassist.report.charts.two_sided import draw_two_sided
from medassist.report.elements import (
    Bars,
    Intervals,
    Items,
    Lines,
    Listing,
    Part,
    QuestionWithAnswers,
    Report,
    Scatter,
    Table,
    Text,
    TwoSided,
)
from medassist.report.shown import shown

TEMPLATES = Path(__file__).parent / "templates"


def page(report: Report) -> str:
    """The whole page; the same report gives the same text."""
    style = (TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("report.html.j2")
    return template.render(
        report=report,
        # It is ours, and a style element knows no escapes.
        style=Markup(style),
        style_hash=f"sha256-{digest}",
        draw=_Drawer(),
    )


class _Drawer:
    """Lays out parts, and numbers the charts of a page."""

    def __init__(self) -> None:
        self._charts = 0
        module = _environment().get_template("parts.html.j2").module
        self._macros = cast("Any", module)

    def __call__(self, part: Part) -> Markup:
        macros = self._macros
        match part:
            case Text():
                return macros.text(part)
            case Items():
                return macros.items(part)
            case Table():
                return macros.table(part)
            case Lines():
                return self._chart(part, draw_lines)
            case Intervals():
                return self._chart(part, draw_intervals)
            case Bars():
                return self._chart(part, draw_bars)
            case Scatter():
                return self._chart(part, draw_scatter)
            case TwoSided():
                return self._chart(part, draw_two_sided)
            case QuestionWithAnswers():
                return macros.answers(part)
            case Listing():
                return macros.listing(part)

    def _chart(self, part: Any, draw: Callable[[Any, int], str]) -> Markup:
        self._charts += 1
        # The functions of charts/ escape what they write.
        svg = Markup(draw(part, self._charts))
        return self._macros.chart(part, svg)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )


def _finalize(value: object) -> object:
    """Every text that a template writes goes through here before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return shown(value)
    return value
