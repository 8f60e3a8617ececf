"""Charts of a result, as elements of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from medassist.bench.exam_verdict import ExamVerdict, primary
from medassist.bench.result_rows import ResultRow, Speed
from medassist.bench.results import Figure, ResultLine, folded
from medassist.exams.perplexity import MAXIMUM_KLD, MEAN_KLD, PPL, PPL_RATIO
from medassist.report.elements import (
    SERIES,
    Bar,
    BarGroup,
    Bars,
    Chart,
    Curve,
    Lines,
    Point,
    Role,
    Scatter,
    TwoSided,
    TwoSidedRow,
)

MB = 1e6
KLD = (
    ("median", "Median KLD"),
    ("90 %", "90.0% KLD"),
    ("95 %", "95.0% KLD"),
    ("99 %", "99.0% KLD"),
    ("99.9 %", "99.9% KLD"),
    ("largest", MAXIMUM_KLD),
)
"""Statistics of the divergence: their titles at the axis, and the figures' names."""
BEST = "none is smaller and better"
ENDING = ".gguf"


def roles(found: Sequence[ResultRow]) -> dict[str, Role]:
    """Colour and shape of each row, the same in every chart."""
    marks = dict.fromkeys(row.mark for row in found)
    return {mark: SERIES[at % len(SERIES)] for at, mark in enumerate(marks)}


def short(name: str) -> str:
    """A row's name without `.gguf`."""
    return name.replace(ENDING, "")


def shared_beginning(names: Sequence[str]) -> str:
    """What all `names` begin with, to the last mark between words; empty for one."""
    if len(names) < 2:
        return ""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    shared = "".join(letters[0] for letters in alike)
    return shared[: max(shared.rfind(mark) for mark in "-._ ") + 1]


def quality_by_size(
    found: Sequence[ResultRow], verdicts: Sequence[ExamVerdict]
) -> Chart | None:
    """Accuracy relative to the reference, by file size.

    Where no exam was sat or none can tell, the perplexity against the reference's.
    """
    counted = {one.row: one for one in primary(verdicts) if one.flips is not None}
    if counted and not any(one.cannot_tell for one in counted.values()):
        reference = next(iter(counted.values())).reference
        values = {
            row: Figure(
                value=100 * one.flips.difference, low=100 * one.low, high=100 * one.high
            )
            for row, one in counted.items()
            if one.flips is not None
        }
        values[reference] = Figure(value=0.0)
        return _by_size(
            found,
            values,
            "Right answers against size",
            f"points beside {short(reference)}",
            "the 95 % interval of the difference, question by question",
            better=1,
        )
    for name in (PPL_RATIO, PPL):
        values = {row.name: row.quality[name] for row in found if name in row.quality}
        if name == PPL_RATIO and values:
            # The reference has no ratio: it is what the others are divided by.
            own = [
                row for row in found if PPL in row.quality and row.name not in values
            ]
            values |= {row.name: Figure(value=1.0) for row in own}
        if values:
            return _by_size(
                found,
                values,
                "Perplexity against size",
                name,
                "the 95 % interval over chunks of the text",
                better=-1,
            )
    return None


def _by_size(
    found: Sequence[ResultRow],
    values: Mapping[str, Figure],
    title: str,
    label: str,
    interval: str,
    better: int,
) -> Chart | None:
    colours = roles(found)
    points: list[Point] = []
    drawn = {row.name: row for row in found if row.name in values}
    shared = shared_beginning([short(name) for name in drawn])
    for row in drawn.values():
        own = values[row.name]
        low = own.value if own.low is None else own.low
        high = own.value if own.high is None else own.high
        points.append(
            Point(
                short(row.name)[len(shared) :],
                row.model.bytes / MB,
                own.value,
                low,
                high,
                colours[row.mark],
            )
        )
    if len(points) < 2:
        return None  # one file lies beside nothing
    points.sort(key=lambda point: point.x)
    best: list[int] = []
    for at, point in enumerate(points):
        if not best or better * point.y > better * points[best[-1]].y:
            best.append(at)
    up = "higher is better" if better > 0 else "lower is better"
    return Scatter(
        title,
        "size of the file, MB",
        f"{label} ({up})",
        tuple(points),
        f"Each mark is a file{f' {shared}…' if shared else ''}; its upright line is "
        f"{interval}."
        + (
            " The dashed line joins the files beside which no smaller one has a better "
            "figure."
            if len(best) > 1
            else ""
        ),
        line=tuple(best) if len(best) > 1 else (),
        line_name=BEST,
    )


def speeds(found: Sequence[ResultRow]) -> list[Chart]:
    """Raw speed of prefill and decode, by depth where there are several."""
    charts: list[Chart] = []
    for writes, title in ((False, "Reading"), (True, "Writing")):
        by_row = [(row, _of_kind(row, writes)) for row in found]
        depths = {depth for _, own in by_row for depth in own}
        if len(depths) > 1:
            charts.append(_by_depth(by_row, found, title))
        elif depths:
            charts.append(_at_one_depth(by_row, found, title, depths.pop()))
    return charts


def _of_kind(row: ResultRow, writes: bool) -> dict[float, Speed]:
    """The speeds of one kind by depth; of several lengths the first one."""
    by_depth: dict[float, Speed] = {}
    for speed in row.raw.values():
        test = speed.line.test
        if bool(test.get("n_gen")) == writes and bool(test.get("n_prompt")) != writes:
            depth = test.get("n_depth")
            by_depth.setdefault(float(depth or 0), speed)
    return by_depth


def _by_depth(
    by_row: Sequence[tuple[ResultRow, Mapping[float, Speed]]],
    found: Sequence[ResultRow],
    title: str,
) -> Chart:
    curves = [
        Curve(
            label,
            role,
            tuple((depth, own[depth].median) for depth in sorted(own)),
            marked=True,
        )
        for (_, own), label, role in zip(
            by_row, _labels(found), _row_roles(found), strict=True
        )
        if own
    ]
    return Lines(
        f"{title} against depth",
        "tokens that are in the context before",
        f"{title.lower()}, tok/s",
        tuple(curves),
        "Medians of the repetitions of the raw speed.",
        from_zero=True,
    )


def _at_one_depth(
    by_row: Sequence[tuple[ResultRow, Mapping[float, Speed]]],
    found: Sequence[ResultRow],
    title: str,
    depth: float,
) -> Chart:
    groups = [
        BarGroup(
            label,
            (
                Bar(
                    role,
                    own[depth].median,
                    min(own[depth].samples),
                    max(own[depth].samples),
                ),
            ),
        )
        for (_, own), label, role in zip(
            by_row, _labels(found), _row_roles(found), strict=True
        )
        if own
    ]
    behind = f" after {depth:,.0f} tokens" if depth else ""
    return Bars(
        f"{title}{behind}",
        f"{title.lower()}, tok/s",
        ((f"{title}, median of the repetitions", "neutral"),),
        tuple(groups),
        "Raw speed: the median, and from the slowest repetition to the fastest.",
    )


def _row_roles(found: Sequence[ResultRow]) -> list[Role]:
    """A role for each way of loading: a model may be there in several."""
    return [SERIES[at % len(SERIES)] for at in range(len(found))]


def _labels(found: Sequence[ResultRow]) -> list[str]:
    """Names of rows; with how it was loaded where a model is there twice."""
    names = [row.name for row in found]
    return [
        f"{short(row.name)}, {row.loaded}"
        if names.count(row.name) > 1
        else short(row.name)
        for row in found
    ]


def over_minutes(
    lines: Sequence[ResultLine], found: Sequence[ResultRow]
) -> Chart | None:
    """Decode speed over minutes."""
    whole = [line for line in folded(lines) if line.kind == "sustained"]
    colours = roles(found)
    curves: list[Curve] = []
    for line in whole:
        if line.model is None:
            continue
        mark = line.model.sha256 + (line.adapter.sha256 if line.adapter else "")
        points = zip(
            line.samples.get("end_s", ()),
            line.samples.get("tok_per_s", ()),
            strict=True,
        )
        curves.append(
            Curve(
                short(line.row),
                colours.get(mark, "neutral"),
                tuple((end / 60, speed) for end, speed in points),
            )
        )
    if not curves:
        return None
    return Lines(
        "Writing over minutes",
        "minutes",
        "tok/s",
        tuple(curves),
        "Written without a pause; a curve that falls is a computer that gets warm or "
        "shares its processor.",
        from_zero=True,
    )


def divergences(found: Sequence[ResultRow]) -> Chart | None:
    """Percentiles of the KL divergence from the reference."""
    colours = roles(found)
    rows = {row.mark: row for row in found if MEAN_KLD in row.quality}
    curves = [
        Curve(
            short(row.name),
            colours[row.mark],
            tuple(
                (float(at), row.quality[name].value)
                for at, (_, name) in enumerate(KLD)
                if name in row.quality and row.quality[name].value > 0
            ),
            marked=True,
        )
        for row in rows.values()
    ]
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return None
    return Lines(
        "Divergence from the reference",
        "of the tokens of the text, the share that lies below",
        "nats a token",
        tuple(curves),
        "Each step upwards is ten times the one below. It shows a broken file; among "
        "good ones it does not tell which answers better.",
        words=tuple(word for word, _ in KLD),
        powers=True,
    )


def flipped(verdicts: Sequence[ExamVerdict]) -> Chart | None:
    """Answers lost and won, to both sides of zero."""
    rows = [one for one in primary(verdicts) if one.flips is not None]
    if not rows:
        return None
    reference = short(rows[0].reference)
    return TwoSided(
        "Answers that changed",
        f"of {rows[0].flips.items if rows[0].flips else 0:,} questions",
        tuple(
            TwoSidedRow(
                short(one.row),
                one.flips.right_to_wrong,
                one.flips.wrong_to_right,
            )
            for one in rows
            if one.flips is not None
        ),
        f"Left: {reference} was right and the model is wrong. Right: the other way "
        "round. A share of right answers that stays the same may hide many of both.",
        left="lost",
        right="won",
    )
