"""Editable PowerPoint charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import (
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_MARKER_STYLE,
    XL_TICK_LABEL_POSITION,
)
from pptx.enum.dml import MSO_LINE, MSO_THEME_COLOR
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Inches, Pt

from medassist.report.charts.axes import (
    Axis,
    bar_axis,
    bar_decimals,
    interval_axis,
    line_axes,
    number_form,
)
from medassist.report.elements import Bar, Bars, Intervals, Lines, Role
from medassist.report.shown import cut, shown_line

MOST_ROWS = 12  # of intervals on a slide
SIZE = 14
INK, QUIET = MSO_THEME_COLOR.TEXT_1, MSO_THEME_COLOR.TEXT_2
RULE, WHITE = MSO_THEME_COLOR.ACCENT_6, MSO_THEME_COLOR.BACKGROUND_1
COLOURS: dict[Role, MSO_THEME_COLOR] = {
    "base": MSO_THEME_COLOR.ACCENT_1,
    "tuned": MSO_THEME_COLOR.ACCENT_2,
    "training": MSO_THEME_COLOR.ACCENT_3,
    "validation": MSO_THEME_COLOR.ACCENT_4,
    "neutral": MSO_THEME_COLOR.ACCENT_5,
}
"""Colours of the template's theme, so that another theme recolours the charts too."""


def add_chart(holder: Any, chart: Lines | Intervals | Bars) -> int:
    """Insert a chart into a placeholder, with alternative text.

    Returns:
        How many rows of intervals had no room.
    """
    left_out = 0
    match chart:
        case Lines():
            frame = _lines(holder, chart)
        case Intervals():
            frame = _intervals(holder, chart)
            left_out = max(0, len(chart.rows) - MOST_ROWS)
        case Bars():
            frame = _bars(holder, chart)
    frame.name = cut(shown_line(chart.title), 100)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", shown_line(chart.told))
    return left_out


def _placed(holder: Any, kind: XL_CHART_TYPE, data: Any, *, legend: bool) -> Any:
    frame = holder.insert_chart(kind, data)
    chart = frame.chart
    chart.has_title = False
    chart.font.size = Pt(SIZE)
    chart.font.color.theme_color = INK
    chart.has_legend = legend
    if legend:
        chart.legend.position = XL_LEGEND_POSITION.TOP
        chart.legend.include_in_layout = False
        chart.legend.font.size = Pt(SIZE)
    return frame


def _lines(holder: Any, part: Lines) -> Any:
    data = XyChartData()
    for curve in part.curves:
        series = data.add_series(shown_line(curve.name))
        for x, y in curve.points:
            series.add_data_point(x, y)
    frame = _placed(holder, XL_CHART_TYPE.XY_SCATTER_LINES, data, legend=True)
    chart = frame.chart
    across, up = line_axes(part)
    _axis(chart.category_axis, across, grid=False)
    _axis(chart.value_axis, up)
    for series, curve in zip(chart.plots[0].series, part.curves, strict=True):
        colour = COLOURS[curve.role]
        series.smooth = False
        series.format.line.color.theme_color = colour
        series.format.line.width = Pt(2.5 if curve.marked else 1.75)
        if not curve.marked:
            series.marker.style = XL_MARKER_STYLE.NONE
            continue
        series.format.line.dash_style = MSO_LINE.DASH
        series.marker.style = XL_MARKER_STYLE.SQUARE
        series.marker.size = 8
        _fill(series.marker.format, colour)
    return frame


def _intervals(holder: Any, part: Intervals) -> Any:
    """Bars of the differences, with their intervals as whiskers."""
    rows = part.rows[:MOST_ROWS][::-1]  # a bar chart is drawn from below
    data = CategoryChartData()
    data.categories = [shown_line(row.label) for row in rows]
    name = shown_line(f"{part.left} (left), {part.right} (right)")
    data.add_series(name, [row.value for row in rows])
    frame = _placed(holder, XL_CHART_TYPE.BAR_CLUSTERED, data, legend=False)
    # Few rows would be drawn as thick beams.
    frame.height = min(frame.height, Inches(1.6 + 0.7 * len(rows)))
    chart = frame.chart
    _categories(chart.category_axis, INK)
    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    chart.category_axis.has_major_gridlines = False
    sides = ""
    if part.left or part.right:
        sides = f"   \N{LEFTWARDS ARROW} {part.left} | {part.right} "
        sides += "\N{RIGHTWARDS ARROW}"
    _axis(chart.value_axis, interval_axis(part), more=sides)
    plot = chart.plots[0]
    plot.gap_width = 90
    series = plot.series[0]
    series.invert_if_negative = False
    for place, row in enumerate(rows):
        _fill(series.points[place].format, COLOURS[row.role])
    _whiskers(series, [(row.low, row.value, row.high) for row in rows])
    return frame


def _bars(holder: Any, part: Bars) -> Any:
    data = CategoryChartData()
    data.categories = [shown_line(group.label) for group in part.groups]
    for place, (name, _) in enumerate(part.names):
        values = [group.bars[place].value for group in part.groups]
        data.add_series(shown_line(name), values)
    kind = XL_CHART_TYPE.COLUMN_CLUSTERED
    frame = _placed(holder, kind, data, legend=len(part.names) > 1)
    chart = frame.chart
    _axis(chart.value_axis, bar_axis(part))
    _categories(chart.category_axis, QUIET)
    plot = chart.plots[0]
    plot.gap_width = 80 if len(part.groups) > 3 else 220
    form = number_form(bar_decimals(part))
    plot.has_data_labels = True
    labels = plot.data_labels
    whiskers = any(bar.low is not None for group in part.groups for bar in group.bars)
    _labels(labels, form, inside=whiskers)
    for place, series in enumerate(plot.series):
        bars = [group.bars[place] for group in part.groups]
        for number, bar in enumerate(bars):
            _bar(series.points[number].format, bar.role)
        role = part.names[place][1]
        _bar(series.format, role)
        if whiskers and role == "base":  # a full bar hides dark figures
            _labels(series.data_labels, form, inside=True)
            series.data_labels.show_value = True
            series.data_labels.font.color.theme_color = WHITE
        ends = [_ends(bar) for bar in bars]
        if all(bar.low is not None and bar.high is not None for bar in bars):
            _whiskers(series, ends)
    return frame


def _ends(bar: Bar) -> tuple[float, float, float]:
    return bar.low or 0.0, bar.value, bar.high or 0.0


def _labels(labels: Any, form: str, *, inside: bool) -> None:
    labels.number_format, labels.number_format_is_linked = form, False
    labels.font.size = Pt(SIZE - 2)
    labels.position = (
        XL_LABEL_POSITION.INSIDE_BASE if inside else XL_LABEL_POSITION.OUTSIDE_END
    )


def _fill(shape: Any, colour: MSO_THEME_COLOR) -> None:
    shape.fill.solid()
    shape.fill.fore_color.theme_color = colour
    shape.line.color.theme_color = colour


def _bar(shape: Any, role: Role) -> None:
    """Base full, tuned pale with an edge: to be told apart without colour."""
    _fill(shape, COLOURS[role])
    shape.line.width = Pt(1.5)
    if role != "base":
        shape.fill.fore_color.brightness = 0.55


def _categories(axis: Any, colour: MSO_THEME_COLOR) -> None:
    axis.tick_labels.font.size = Pt(SIZE)
    axis.format.line.color.theme_color = colour


def _axis(axis: Any, found: Axis, *, grid: bool = True, more: str = "") -> None:
    """The axis as the page has it; `more` goes behind its title."""
    axis.minimum_scale, axis.maximum_scale = found.low, found.high
    axis.major_unit = found.step
    axis.has_major_gridlines = grid
    if grid:
        axis.major_gridlines.format.line.color.theme_color = RULE
        axis.major_gridlines.format.line.width = Pt(0.75)
    labels = axis.tick_labels
    labels.font.size = Pt(SIZE - 2)
    labels.font.color.theme_color = QUIET
    labels.number_format = number_form(found.decimals)
    labels.number_format_is_linked = False
    axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    axis.format.line.color.theme_color = QUIET
    axis.has_title = True
    frame = axis.axis_title.text_frame
    frame.text = shown_line(found.label + more)
    frame.paragraphs[0].runs[0].font.size = Pt(SIZE - 1)
    frame.paragraphs[0].runs[0].font.bold = False


def _whiskers(series: Any, ends: Sequence[tuple[float, float, float]]) -> None:
    """Error bars from low to high around each value; python-pptx has none."""
    below = _numbers([value - low for low, value, _ in ends])
    above = _numbers([high - value for _, value, high in ends])
    made = parse_xml(
        f"<c:errBars {nsdecls('c', 'a')}>"
        '<c:errBarType val="both"/><c:errValType val="cust"/><c:noEndCap val="0"/>'
        f"<c:plus>{above}</c:plus><c:minus>{below}</c:minus>"
        '<c:spPr><a:ln w="19050"><a:solidFill><a:schemeClr val="tx1"/></a:solidFill>'
        "</a:ln></c:spPr></c:errBars>"
    )
    series._element.find(qn("c:cat")).addprevious(made)


def _numbers(values: list[float]) -> str:
    points = "".join(
        f'<c:pt idx="{place}"><c:v>{max(0.0, value)!r}</c:v></c:pt>'
        for place, value in enumerate(values)
    )
    return (
        "<c:numLit><c:formatCode>General</c:formatCode>"
        f'<c:ptCount val="{len(values)}"/>{points}</c:numLit>'
    )
