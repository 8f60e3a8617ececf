"""A result as one HTML page: verdicts, charts and tables."""

from __future__ import annotations

from collections.abc import Sequence

from medassist.bench import charts
from medassist.bench.exam_verdict import ExamVerdict, in_points, primary
from medassist.bench.recommend import Recommendation
from medassist.bench.result_rows import ResultRow, notes_of, rows
from medassist.bench.result_tables import ResultTable, tables
from medassist.bench.result_text import computed_by
from medassist.bench.results import ResultLine
from medassist.core.words import plural
from medassist.report import elements
from medassist.report.elements import Items, Part, Report, Section, Text
from medassist.report.page import page

LOADED = "loaded"
WIDE_COLUMNS = frozenset(("verdict", ""))
"""They hold sentences."""
TEXT_COLUMNS = WIDE_COLUMNS | {"weights really", LOADED, "panes", "exam", "type"}
"""They hold no figures."""
FIRST_OF_MEMORY = "resident"
NOT_DECISIVE = "Not decisive: "
CANNOT_TELL = "These exams cannot tell: "


def as_html(
    lines: Sequence[ResultLine],
    verdicts: Sequence[ExamVerdict],
    best: Recommendation | None = None,
) -> str:
    """The HTML page.

    Args:
        lines: of the result.
        verdicts: of it.
        best: what to take, where that was asked.
    """
    return page(report(lines, verdicts, best))


def report(
    lines: Sequence[ResultLine],
    verdicts: Sequence[ExamVerdict],
    best: Recommendation | None = None,
) -> Report:
    """The page as elements of a report."""
    found = rows(lines)
    shown = {table.name: table for table in tables(lines, verdicts)}
    sections = [
        _section("verdict", "What may be said", _said(verdicts, best, shown)),
        _section(
            "size",
            "Quality against size",
            [
                *_drawn(charts.quality_by_size(found, verdicts)),
                *_table(shown, "exams", "quality"),
            ],
        ),
        _section(
            "speed",
            "Speed",
            [*charts.speeds(found), *_table(shown, "speed", "sensors", "app")],
        ),
        _section(
            "minutes",
            "Speed over minutes",
            [*_drawn(charts.over_minutes(lines, found)), *_table(shown, "sustained")],
        ),
        _section(
            "divergence",
            "Divergence",
            [*_drawn(charts.divergences(found)), *_kld(found)],
        ),
        _section("files", "Files, memory, loading", _files(shown.get("files"))),
        _section("provenance", "How it was measured", _provenance(lines, found)),
    ]
    when = sorted(line.at for line in lines)
    return Report(
        "Models measured",
        f"{len({row.mark for row in found}):,} "
        f"{plural(len({row.mark for row in found}), 'model')}"
        + (f", {when[0]:%d %B %Y}" if when else "")
        + "".join(f". {said}" for said in computed_by(lines)[:1]),
        _lead(verdicts, best),
        tuple(section for section in sections if section is not None),
    )


def not_decisive(verdicts: Sequence[ExamVerdict]) -> str:
    """Sentence on what the questions leave undecided; empty if nothing."""
    open_ = [one for one in primary(verdicts) if not one.shown and not one.no_worse]
    if not open_:
        return ""
    if open_[0].cannot_tell:
        return (
            f"{CANNOT_TELL}{open_[0].ignorant}. An answer that comes or goes says "
            "nothing there, however many there are."
        )
    names = ", ".join(charts.short(one.row) for one in open_)
    are = "is" if len(open_) == 1 else "are"
    return (
        f"{NOT_DECISIVE}whether {names} {are} as good as "
        f"{charts.short(open_[0].reference)}. The table says of each why, and how many "
        "questions would be needed."
    )


def _lead(
    verdicts: Sequence[ExamVerdict], best: Recommendation | None
) -> tuple[str, ...]:
    if best is not None:
        return best.said[:1]
    counted = primary(verdicts)
    if not counted:
        return ()
    decided = sum(bool(one.shown or one.no_worse) for one in counted)
    return (
        f"Beside {counted[0].reference}, {decided} of {len(counted)} "
        f"{plural(len(counted), 'model')} can be judged by these questions.",
    )


def _said(
    verdicts: Sequence[ExamVerdict],
    best: Recommendation | None,
    shown: dict[str, ResultTable],
) -> list[Part]:
    made: list[Part] = []
    if best is not None and len(best.said) > 1:
        made.append(Text("Smaller files were passed over:" if best.row else "Why:"))
        made.append(Items(best.said[1:]))
    counted = primary(verdicts)
    decided = [one for one in counted if one.shown or one.no_worse]
    if decided:
        made.append(Items(tuple(f"{one.row}: {one.said}." for one in decided)))
    undecided = not_decisive(verdicts)
    if undecided and not (best and undecided.startswith(CANNOT_TELL)):
        made.append(Text(undecided, tone="warning"))
    if counted:
        margin = in_points(counted[0].margin)
        made.append(
            Text(
                f"Declared before the run: a model may lose {margin}. Models are "
                "compared question by question; that no difference was found is never "
                "called no worse.",
                tone="small",
            )
        )
    made += _drawn(charts.flipped(verdicts))
    return [*made, *_table(shown, "verdicts")]


def _provenance(lines: Sequence[ResultLine], found: Sequence[ResultRow]) -> list[Part]:
    files = {
        facts.sha256: (facts.name, facts.sha256)
        for row in found
        for facts in (row.model, row.adapter)
        if facts is not None
    }
    made: list[Part] = [Text(said) for said in computed_by(lines)]
    settings = list(dict.fromkeys(row.loaded for row in found if row.loaded))
    if settings:
        made.append(Text(f"Loaded with {'; '.join(settings)}."))
    disturbed = sum(line.disturbance.disturbed for line in lines)
    if disturbed:
        made.append(
            Text(
                f"Other programs took more than a tenth of the processor during "
                f"{disturbed:,} of {len(lines):,} measurements.",
                tone="warning",
            )
        )
    if notes := notes_of(found):
        made.append(Items(tuple(notes)))
    made.append(
        elements.Table(
            "sha256 of the files",
            (elements.Column("file"), elements.Column("sha256")),
            tuple(files.values()),
            codes=True,
        )
    )
    return made


def _files(table: ResultTable | None) -> list[Part]:
    """Table of the files and what they need; side by side they find no room."""
    if table is None:
        return []
    at = table.heads.index(FIRST_OF_MEMORY)
    needs = (0, *range(at, len(table.heads)))
    return [
        _part(
            "Files",
            table.heads[:at],
            [row[:at] for row in table.rows],
            " ".join(table.notes),
        ),
        _part(
            "Memory, loading",
            [table.heads[n] for n in needs],
            [tuple(row[n] for n in needs) for row in table.rows],
        ),
    ]


def _kld(found: Sequence[ResultRow]) -> list[Part]:
    """The figures of the chart of divergences."""
    made = [
        (
            row.name,
            *(
                f"{row.quality[name].value:.6f}" if name in row.quality else "-"
                for _, name in charts.KLD
            ),
        )
        for row in {row.mark: row for row in found}.values()
        if any(name in row.quality for _, name in charts.KLD)
    ]
    if not made:
        return []
    heads = ("model", *(word for word, _ in charts.KLD))
    return [_part("Divergence, nats a token", heads, made)]


def _drawn(chart: elements.Chart | None) -> list[Part]:
    return [] if chart is None else [chart]


def _table(shown: dict[str, ResultTable], *names: str) -> list[Part]:
    return [
        _part(table.title, table.heads, table.rows, " ".join(table.notes))
        for name in names
        if (table := shown.get(name)) is not None
    ]


def _part(
    title: str,
    heads: Sequence[str],
    made: Sequence[tuple[str, ...]],
    note: str = "",
) -> elements.Table:
    # How all of them alike were loaded is said once, below.
    kept = [
        at
        for at, head in enumerate(heads)
        if any(row[at] for row in made)
        and (head != LOADED or len({row[at] for row in made}) > 1)
    ]
    columns = tuple(
        elements.Column(
            heads[at],
            figures=at > 0 and heads[at] not in TEXT_COLUMNS,
            wide=heads[at] in WIDE_COLUMNS,
        )
        for at in kept
    )
    return elements.Table(
        title,
        columns,
        # An interval stands below its figure: side by side they need too much room.
        tuple(tuple(row[at].replace(" [", "\n[") for at in kept) for row in made),
        note=note,
    )


def _section(name: str, title: str, made: Sequence[Part]) -> Section | None:
    return Section(name, title, tuple(made)) if made else None
