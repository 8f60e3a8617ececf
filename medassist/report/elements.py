"""Elements of a report: texts, tables, charts and sections, before any layout.

The sections are made once from what is reported; a page, and slides where there are
some, only lay them out, so that both say the same. Texts are plain and untrusted:
whoever lays them out escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal[
    "base", "tuned", "training", "validation", "neutral",
    "one", "two", "three", "four", "five", "six", "seven", "eight",
]  # fmt: skip
"""Whose figure it is: it is drawn in the same colour and shape everywhere."""
SERIES: tuple[Role, ...] = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight"),
)
"""Roles for what has none of its own: any number of models."""


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        on_slides: it is short and important enough for a slide.
        tone: `warning` stands out, `small` stands back.
    """

    text: str
    on_slides: bool = True
    tone: Literal["plain", "warning", "small"] = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]
    numbered: bool = False
    on_slides: bool = True


@dataclass(frozen=True)
class Column:
    """A column of a table; figures are set to the right."""

    name: str
    figures: bool = False
    wide: bool = False
    """It holds running text."""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    on_slides: bool = True
    note: str = ""
    codes: bool = False
    """It holds hashes, which may be broken anywhere and want a narrow type."""


@dataclass(frozen=True)
class Curve:
    """A line of a chart: points in the order of x."""

    name: str
    role: Role
    points: tuple[tuple[float, float], ...]
    marked: bool = False
    """Whether each point has a mark: they are few and each was measured."""


@dataclass(frozen=True)
class Lines:
    """A line chart.

    Attributes:
        mark: an x that is pointed out, with its words.
        told: the chart in a sentence, for those who do not see it.
        words: what is written at x = 0, 1, 2, ..., where these are no numbers.
        powers: up, each step is ten times the one before; values above 0 alone.
        from_zero: both ways, it begins at zero.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    told: str
    mark: tuple[float, str] | None = None
    note: str = ""
    on_slides: bool = True
    words: tuple[str, ...] = ()
    powers: bool = False
    from_zero: bool = False


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval."""

    label: str
    value: float
    low: float
    high: float
    said: str = ""
    """The verdict, in a word or two, written at its end."""
    role: Role = "neutral"


@dataclass(frozen=True)
class Intervals:
    """A forest plot: estimates with intervals, against a line at `at`."""

    title: str
    x_label: str
    rows: tuple[Interval, ...]
    told: str
    at: float = 0.0
    left: str = ""
    """Text left of the line."""
    right: str = ""
    note: str = ""
    on_slides: bool = True


@dataclass(frozen=True)
class Bar:
    """A bar, with its interval where there is one."""

    role: Role
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BarGroup:
    """Bars that belong together, in the order of the chart's names."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Bars:
    """A bar chart from zero.

    Attributes:
        names: what each bar of a group is, with its role.
        top: where the scale ends; None: where the data wants.
        whole: the values are counts.
    """

    title: str
    y_label: str
    names: tuple[tuple[str, Role], ...]
    groups: tuple[BarGroup, ...]
    told: str
    top: float | None = None
    whole: bool = False
    note: str = ""
    on_slides: bool = True


@dataclass(frozen=True)
class Point:
    """A point of two figures; the vertical one has an interval."""

    label: str
    x: float
    y: float
    low: float
    high: float
    role: Role = "neutral"


@dataclass(frozen=True)
class Scatter:
    """A scatter plot.

    Attributes:
        line: places of the points that a line goes through, in the order of x.
        line_name: what it is.
    """

    title: str
    x_label: str
    y_label: str
    points: tuple[Point, ...]
    told: str
    line: tuple[int, ...] = ()
    line_name: str = ""
    note: str = ""


@dataclass(frozen=True)
class TwoSidedRow:
    """One row of a two-sided bar chart.

    Attributes:
        left: how far it reaches to the left.
        right: to the right.
    """

    label: str
    left: float
    right: float


@dataclass(frozen=True)
class TwoSided:
    """Bar chart of counts to both sides of zero."""

    title: str
    x_label: str
    rows: tuple[TwoSidedRow, ...]
    told: str
    left: str
    right: str
    note: str = ""


@dataclass(frozen=True)
class QuestionWithAnswers:
    """One question and its answers, side by side."""

    heading: str
    question: str
    base: str
    tuned: str
    reference: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Listing:
    """Text in a fixed-width font: a recipe."""

    caption: str
    text: str


Chart = Lines | Intervals | Bars | Scatter | TwoSided
Part = Text | Items | Table | Chart | QuestionWithAnswers | Listing


@dataclass(frozen=True)
class Section:
    """A section of the page; on slides, one slide or more.

    Attributes:
        name: of the anchor.
        notes: what a speaker says to its first slide.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    notes: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        lead: what came out, in a sentence or two.
        missing: files of the run that are not there, each with what is left out
            for it.
    """

    title: str
    subtitle: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    missing: tuple[str, ...] = field(default=())
