"""PowerPoint's own charts, with the data in them."""

from __future__ import annotations

from typing import Any

from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_LEGEND_POSITION,
    XL_MARKER_STYLE,
    XL_TICK_LABEL_POSITION,
)
from pptx.enum.dml import MSO_LINE
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Inches, Pt

from finetune.report.charts.scale import scale
from finetune.report.deck_layout import (
    FOOT,
    HEIGHT,
    INK,
    MARGIN,
    QUIET,
    ROLE_COLOURS,
    RULE,
    WIDTH,
)
from finetune.report.parts import Bars, Intervals, Lines
from finetune.report.shown import cut, shown_line

MOST_ROWS = 12  # of intervals on a slide
SIZE = 14


def add_chart(slide: Any, part: Lines | Intervals | Bars, top: float) -> None:
    """Put the chart on the slide from `top` inches on, and its words as alt text."""
    match part:
        case Lines():
            frame = _lines(slide, part, top)
        case Intervals():
            frame = _intervals(slide, part, top)
        case Bars():
            frame = _bars(slide, part, top)
    frame.name = cut(shown_line(part.title), 100)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", shown_line(part.told))


def _place(
    slide: Any, kind: XL_CHART_TYPE, data: Any, top: float, most: float = HEIGHT
) -> Any:
    height = min(most, HEIGHT - FOOT - 0.4 - top)
    frame = slide.shapes.add_chart(
        kind,
        Inches(MARGIN),
        Inches(top),
        Inches(WIDTH - 2 * MARGIN),
        Inches(height),
        data,
    )
    chart = frame.chart
    chart.has_title = False
    chart.font.size = Pt(SIZE)
    chart.font.color.rgb = INK
    return frame


def _lines(slide: Any, part: Lines, top: float) -> Any:
    data = XyChartData()
    for curve in part.curves:
        series = data.add_series(shown_line(curve.name))
        for x, y in curve.points:
            series.add_data_point(x, y)
    frame = _place(slide, XL_CHART_TYPE.XY_SCATTER_LINES, data, top)
    chart = frame.chart
    _legend(chart)
    xs = [x for curve in part.curves for x, _ in curve.points]
    ys = [y for curve in part.curves for _, y in curve.points]
    _axis(chart.category_axis, part.x_label, xs, grid=False)
    _axis(chart.value_axis, part.y_label, ys)
    for series, curve in zip(chart.plots[0].series, part.curves, strict=True):
        colour = ROLE_COLOURS[curve.role]
        series.smooth = False
        series.format.line.color.rgb = colour
        series.format.line.width = Pt(2.5 if curve.marked else 1.75)
        if not curve.marked:
            series.marker.style = XL_MARKER_STYLE.NONE
            continue
        series.format.line.dash_style = MSO_LINE.DASH
        series.marker.style = XL_MARKER_STYLE.SQUARE
        series.marker.size = 8
        series.marker.format.fill.solid()
        series.marker.format.fill.fore_color.rgb = colour
        series.marker.format.line.color.rgb = colour
    return frame


def _intervals(slide: Any, part: Intervals, top: float) -> Any:
    """Bars of the differences, with their intervals as whiskers."""
    rows = part.rows[:MOST_ROWS][::-1]  # a bar chart is drawn from below
    data = CategoryChartData()
    data.categories = [shown_line(row.label) for row in rows]
    name = shown_line(f"{part.left} (left), {part.right} (right)")
    data.add_series(name, [row.value for row in rows])
    frame = _place(slide, XL_CHART_TYPE.BAR_CLUSTERED, data, top, 1.6 + 0.7 * len(rows))
    chart = frame.chart
    chart.has_legend = False
    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    chart.category_axis.tick_labels.font.size = Pt(SIZE)
    chart.category_axis.format.line.color.rgb = INK
    chart.category_axis.has_major_gridlines = False
    label = part.x_label
    if part.left or part.right:
        label += f"   \N{LEFTWARDS ARROW} {part.left} | {part.right} "
        label += "\N{RIGHTWARDS ARROW}"
    values = [v for row in rows for v in (row.low, row.high)]
    reach = max((abs(value) for value in values), default=1.0)
    _axis(chart.value_axis, label, [*values, -0.3 * reach, 0.3 * reach])
    plot = chart.plots[0]
    plot.gap_width = 90
    series = plot.series[0]
    series.invert_if_negative = False
    for place, row in enumerate(rows):
        point = series.points[place].format
        point.fill.solid()
        point.fill.fore_color.rgb = ROLE_COLOURS[row.role]
    _whiskers(
        series,
        [row.value - row.low for row in rows],
        [row.high - row.value for row in rows],
    )
    return frame


def _bars(slide: Any, part: Bars, top: float) -> Any:
    data = CategoryChartData()
    data.categories = [shown_line(group.label) for group in part.groups]
    for place, (name, _) in enumerate(part.names):
        values = [group.bars[place].value for group in part.groups]
        data.add_series(shown_line(name), values)
    frame = _place(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, data, top)
    chart = frame.chart
    if len(part.names) > 1:
        _legend(chart)
    else:
        chart.has_legend = False
    values = [b.high or b.value for group in part.groups for b in group.bars]
    _axis(chart.value_axis, part.y_label, [0.0, part.top or 0.0, *values])
    chart.category_axis.tick_labels.font.size = Pt(SIZE)
    chart.category_axis.format.line.color.rgb = QUIET
    plot = chart.plots[0]
    plot.gap_width = 80 if len(part.groups) > 3 else 220
    plot.has_data_labels = True
    labels = plot.data_labels
    labels.number_format = "#,##0" if part.whole else "0.0"
    labels.number_format_is_linked = False
    labels.font.size = Pt(SIZE - 2)
    whiskers = any(bar.low is not None for group in part.groups for bar in group.bars)
    labels.position = (
        XL_LABEL_POSITION.INSIDE_BASE if whiskers else XL_LABEL_POSITION.OUTSIDE_END
    )
    for place, series in enumerate(plot.series):
        bars = [group.bars[place] for group in part.groups]
        for number, bar in enumerate(bars):
            _fill(series.points[number].format, ROLE_COLOURS[bar.role], bar.role)
        role = part.names[place][1]
        _fill(series.format, ROLE_COLOURS[role], role)
        if whiskers and role == "base":
            _white_labels(series, "0" if part.whole else "0.0")
        if all(bar.low is not None and bar.high is not None for bar in bars):
            _whiskers(
                series,
                [bar.value - (bar.low or 0.0) for bar in bars],
                [(bar.high or 0.0) - bar.value for bar in bars],
            )
    return frame


def _white_labels(series: Any, form: str) -> None:
    """Labels on a full bar, which hides dark ones."""
    labels = series.data_labels
    labels.show_value = True
    labels.position = XL_LABEL_POSITION.INSIDE_BASE
    labels.number_format, labels.number_format_is_linked = form, False
    labels.font.size = Pt(SIZE - 2)
    labels.font.color.rgb = RGBColor(255, 255, 255)


def _fill(shape: Any, colour: RGBColor, role: str) -> None:
    """Base full, tuned pale with an edge: to be told apart without colour."""
    shape.fill.solid()
    shape.line.color.rgb = colour
    shape.line.width = Pt(1.5)
    shape.fill.fore_color.rgb = colour
    if role != "base":
        shape.fill.fore_color.brightness = 0.55


def _legend(chart: Any) -> None:
    chart.has_legend = True
    chart.legend.position = XL_LEGEND_POSITION.TOP
    chart.legend.include_in_layout = False
    chart.legend.font.size = Pt(SIZE)


def _axis(axis: Any, label: str, values: list[float], *, grid: bool = True) -> None:
    """Round ends and steps, as the page has them, and a title."""
    fitted = scale(values, 0.0, 1.0)
    axis.minimum_scale, axis.maximum_scale = fitted.low, fitted.high
    if len(fitted.ticks) > 1:
        axis.major_unit = fitted.ticks[1] - fitted.ticks[0]
    axis.has_major_gridlines = grid
    if grid:
        axis.major_gridlines.format.line.color.rgb = RULE
        axis.major_gridlines.format.line.width = Pt(0.75)
    axis.tick_labels.font.size = Pt(SIZE - 2)
    axis.tick_labels.font.color.rgb = QUIET
    axis.tick_labels.number_format = f"0.{'0' * fitted.decimals}".rstrip(".")
    axis.tick_labels.number_format_is_linked = False
    axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    axis.format.line.color.rgb = QUIET
    axis.has_title = True
    frame = axis.axis_title.text_frame
    frame.text = shown_line(label)
    frame.paragraphs[0].runs[0].font.size = Pt(SIZE - 1)
    frame.paragraphs[0].runs[0].font.bold = False


def _whiskers(series: Any, below: list[float], above: list[float]) -> None:
    """Error bars with a length of their own at each bar; python-pptx has none."""
    made = parse_xml(
        f"<c:errBars {nsdecls('c', 'a')}>"
        '<c:errBarType val="both"/><c:errValType val="cust"/><c:noEndCap val="0"/>'
        f"<c:plus>{_numbers(above)}</c:plus><c:minus>{_numbers(below)}</c:minus>"
        f'<c:spPr><a:ln w="19050"><a:solidFill><a:srgbClr val="{INK}"/></a:solidFill>'
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
