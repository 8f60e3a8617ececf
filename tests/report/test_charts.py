"""Where things stand in a chart: its axes, its names, and what is left of them."""

from __future__ import annotations

import re

import pytest

from medassist.report.charts.axes import power_axis, round_axis
from medassist.report.charts.lines import draw_lines
from medassist.report.charts.scatter import draw_scatter
from medassist.report.charts.svg import WIDTH
from medassist.report.elements import SERIES, Curve, Lines, Point, Scatter


def test_each_power_of_ten_is_as_far_from_the_next():
    axis = power_axis("nats", [0.002, 3.0, 0.0, float("nan")])
    assert axis.ticks == pytest.approx((0.001, 0.01, 0.1, 1.0, 10.0))
    places = [axis.place(tick, 0.0, 100.0) for tick in axis.ticks]
    assert places == pytest.approx([0, 25, 50, 75, 100])
    assert [axis.word(tick) for tick in axis.ticks[:2]] == ["0.001", "0.01"]


def test_a_power_axis_of_one_value_has_two_ends():
    axis = power_axis("nats", [1.0])
    assert axis.low < axis.high


def test_many_names_go_on_in_further_rows_above_the_chart():
    curves = tuple(
        Curve(f"a model with a long name {n}", role, ((0.0, 1.0), (1.0, 2.0)))
        for n, role in enumerate(SERIES)
    )
    svg = draw_lines(Lines("t", "x", "y", curves, "told"), 1)
    box = re.search(r'viewBox="0 (-?[\d.]+) ([\d.]+) ([\d.]+)"', svg)
    assert box and float(box[1]) < 0
    shifts = {float(y) for y in re.findall(r"translate\(0 (-?[\d.]+)\)", svg)}
    assert min(shifts) == float(box[1]) and max(shifts) == 0
    assert svg.count("a model with a long name") == len(SERIES)


def test_names_of_points_that_lie_together_do_not_cover_each_other():
    points = tuple(
        Point(f"model {n}", 10.0 + n / 10, 1.0, 0.5, 1.5, SERIES[n]) for n in range(8)
    )
    svg = draw_scatter(Scatter("t", "x", "y", points, "told"), 1)
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="label">model', svg)
    places = [(float(x), float(y)) for x, y in found]
    assert len(places) == 8
    assert all(0 < x < WIDTH for x, _ in places)
    for at, (x, y) in enumerate(places):
        for other_x, other_y in places[:at]:
            assert abs(y - other_y) >= 14 or abs(x - other_x) > 50


def test_a_chart_can_begin_at_zero():
    assert round_axis("tok/s", [0.0, 30.0, 40.0]).low == 0.0
    curves = (Curve("m", "one", ((0.0, 30.0), (1.0, 40.0))),)
    svg = draw_lines(Lines("t", "x", "y", curves, "told", from_zero=True), 1)
    assert re.search(r'class="tick" text-anchor="end">0</text>', svg)
