"""A result as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from medassist.bench.exam_verdict import (
    ALL,
    IGNORANT,
    ExamVerdict,
    fixed_shares,
    primary,
    sat,
)
from medassist.bench.recommend import broken
from medassist.bench.result_rows import ResultRow, rows, ttft
from medassist.bench.results import ResultLine
from medassist.bench.weight_types import larger_than_promised, types_said
from medassist.core.clean import clean_line
from medassist.core.words import parameters, size
from medassist.exams.perplexity import MEAN_KLD, PPL, PPL_RATIO, SAME_TOP
from medassist.exams.question_files import TITLES

WIDEST = 48
_QUALITY = ((PPL, 3), (PPL_RATIO, 4), (MEAN_KLD, 5), (SAME_TOP, 2))
DISTURBED = "*"
FIXED = "one fixed answer"
WHAT_DISTURBED = f"{DISTURBED} other programs took more than a tenth of the processor"


@dataclass(frozen=True)
class ResultTable:
    """A table of the result; cells may hold uncleaned file names.

    Attributes:
        name: by which it is told from the others.
        title: above it.
        heads: of the columns, the first of which names the row.
        rows: as many cells each.
        notes: below it.
        widest: letters of a cell, in a terminal.
    """

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    widest: int = WIDEST


def tables(
    lines: Sequence[ResultLine], verdicts: Sequence[ExamVerdict]
) -> list[ResultTable]:
    """All tables that have rows."""
    found = rows(lines)
    titles = _titles(lines)
    made = [
        _files(found),
        _raw(found),
        _sensors(found),
        _app(found),
        _sustained(found),
        _quality(found),
        _exams(found, titles, fixed_shares(sat(lines))),
        _said(verdicts, titles),
    ]
    return [table for table in made if table is not None]


def _files(found: Sequence[ResultRow]) -> ResultTable | None:
    made: list[list[str]] = []
    for row in _of_files(found):
        memory = row.memory
        made.append(
            [
                row.name,
                row.model.quantization,
                types_said(row.model),
                f"{row.model.bits:.2f}" if row.model.bits else "-",
                parameters(row.model.params) if row.model.params else "-",
                size(row.model.bytes),
                *(
                    size(int(memory[name].value)) if name in memory else "-"
                    for name in ("resident", "peak", "private", "mapped", "estimated")
                ),
                *(
                    _seconds(row.load.get(place, {}).get("ready_s"))
                    + _mark(row, f"load {place}")
                    for place in ("warm", "dropped from the cache")
                ),
            ]
        )
    heads = ["model", "type", "weights really", "bits", "params", "file"]
    heads += ["resident", "peak", "private", "mapped", "estimated", "load warm"]
    heads += ["load dropped"]
    models = {row.model.sha256: row.model for row in found}
    notes = larger_than_promised(list(models.values()))
    return _table(
        "files", "Files, memory, loading", heads, made, *notes, _told(found, "load ")
    )


def _raw(found: Sequence[ResultRow]) -> ResultTable | None:
    tests = list(dict.fromkeys(name for row in found for name in row.raw))
    if not tests:
        return None
    made: list[list[str]] = []
    for row in found:
        if not row.raw:
            continue
        cells = [row.name, row.loaded or "-"]
        for name in tests:
            speed = row.raw.get(name)
            mark = DISTURBED if speed is not None and speed.disturbed else ""
            cells.append("-" if speed is None else f"{speed.said}{mark}")
        made.append(cells)
    every = [speed for row in found for speed in row.raw.values()]
    disturbed = any(speed.disturbed for speed in every)
    alone = all(len(speed.samples) == 1 for speed in every)
    return _table(
        "speed",
        "Raw speed, tok/s, of one run each"
        if alone
        else "Raw speed, tok/s, median and largest deviation",
        ["model", "loaded", *tests],
        made,
        WHAT_DISTURBED if disturbed else "",
    )


def _sensors(found: Sequence[ResultRow]) -> ResultTable | None:
    """Energy, frequency and heat while raw speeds were measured, where readable."""
    made: list[list[str]] = []
    shown = list(dict.fromkeys(n for r in found for n in _joules(r)))
    for row in found:
        worst = [speed.line.disturbance for speed in row.raw.values()]
        sensors = (
            min((d.frequency_mhz for d in worst if d.frequency_mhz), default=None),
            max((d.temperature_c for d in worst if d.temperature_c), default=None),
            max((d.throttled for d in worst if d.throttled is not None), default=None),
        )
        joules = _joules(row)
        if joules or any(value is not None for value in sensors):
            cells = [f"{joules[n]:.3g}" if n in joules else "-" for n in shown]
            cells += ["-" if value is None else f"{value:.0f}" for value in sensors]
            made.append([row.name, row.loaded or "-", *cells])
    heads = ["model", "loaded", *(f"J/token {name}" for name in shown)]
    return _table(
        "sensors",
        "Energy beyond the idle computer, frequency, heat",
        [*heads, "MHz lowest", "°C highest", "throttled"],
        made,
    )


def _joules(row: ResultRow) -> dict[str, float]:
    """Joules a token of each raw speed of which they are known."""
    found = {name: speed.joules_per_token for name, speed in row.raw.items()}
    return {name: value for name, value in found.items() if value is not None}


def _app(found: Sequence[ResultRow]) -> ResultTable | None:
    made: list[list[str]] = []
    for row in _of_files(found):
        for panes, samples in row.app.items():
            for name in ("ttft_s", "ttft_s base", "ttft_s tuned"):
                if name not in samples:
                    continue
                pane = name.removeprefix("ttft_s")
                mark = _mark(row, f"app {panes}")
                speed = samples.get(f"tok_per_s{pane}")
                read = samples.get(f"tokens_read{pane}")
                made.append(
                    [
                        row.name,
                        f"{panes}:{pane}" if pane else panes,
                        str(round(median(read))) if read else "-",
                        *_ttft(samples[name], mark),
                        f"{median(speed):.1f}{mark}" if speed else "-",
                    ]
                )
    heads = ["model", "panes", "tokens read", "first token p50", "p95", "longest"]
    return _table(
        "app",
        "Through the app: template, sampler and reader attached",
        [*heads, "tok/s"],
        made,
        "The raw speed has no template, sampler or reader, and a cache that is as "
        "small as can be; this is what a user sees.",
        _told(found, "app "),
    )


def _ttft(samples: Sequence[float], mark: str) -> list[str]:
    middle, late = ttft(samples)
    return [
        _bounded(middle.value, middle.low, middle.high) + mark,
        _bounded(late.value, late.low, late.high) if late else f"n={len(samples)} < 59",
        f"{max(samples):.2f} s",
    ]


def _bounded(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:.2f} s"
    return f"{value:.2f} s [{low:.2f}, {high:.2f}]"


def _sustained(found: Sequence[ResultRow]) -> ResultTable | None:
    made = [
        [row.name, row.loaded or "-"]
        + [
            f"{figure.value:.2f} {figure.unit}".rstrip() + _mark(row, "sustained")
            if figure
            else "never"
            for figure in map(
                row.sustained.get,
                ("first minute", "last minute", "last by first", "below 95 % after"),
            )
        ]
        for row in found
        if row.sustained
    ]
    heads = ["model", "loaded", "first minute", "last minute", "last by first"]
    return _table(
        "sustained",
        "Sustained",
        [*heads, "below 95 % after"],
        made,
        _told(found, "sustained"),
    )


def _quality(found: Sequence[ResultRow]) -> ResultTable | None:
    made: list[list[str]] = []
    for row in _of_files(found):
        if row.quality:
            cells = [row.name]
            for name, digits in _QUALITY:
                figure = row.quality.get(name)
                cells.append(
                    "-"
                    if figure is None
                    else f"{figure.value:.{digits}f} "
                    f"[{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
                )
            made.append([*cells, broken(row)])
    heads = ["model", PPL, PPL_RATIO, MEAN_KLD, f"{SAME_TOP} %", ""]
    return _table(
        "quality",
        "Quality on the text, 95 % intervals over chunks",
        heads,
        made,
        "A divergence shows a broken file; among good ones it does not tell which "
        "answers better. The exams do.",
    )


def _titles(lines: Sequence[ResultLine]) -> dict[str, str]:
    """Titles of the exams' papers: another file of a set has another title."""
    return {
        str(line.test["task"]): str(line.test["title"])
        for line in lines
        if line.kind == "exam" and line.test.get("title")
    }


def _exams(
    found: Sequence[ResultRow], titles: Mapping[str, str], fixed: Mapping[str, float]
) -> ResultTable | None:
    tasks = list(dict.fromkeys(task for row in found for task in row.exams))
    if not tasks:
        return None
    made = [
        [
            row.name,
            *(
                f"{100 * row.exams[task][0]:.1f} % of {row.exams[task][1]:,}"
                if task in row.exams
                else "-"
                for task in tasks
            ),
        ]
        for row in _of_files(found)
        if row.exams
    ]
    made.append([FIXED, *(f"{100 * fixed[task]:.1f} %" for task in tasks)])
    heads = ["model", *(titles.get(task, TITLES.get(task, task)) for task in tasks)]
    return _table(
        "exams",
        "Exams, right answers",
        heads,
        made,
        "The last line is what the best fixed answer to every question gets right; so "
        "does, at best, whoever guesses.",
    )


def _said(
    verdicts: Sequence[ExamVerdict], titles: Mapping[str, str]
) -> ResultTable | None:
    def title(task: str) -> str:
        return titles.get(task, TITLES.get(task, task))

    made: list[list[str]] = []
    untold: dict[str, None] = {}
    left_out: dict[str, None] = {}
    main = primary(verdicts)
    for one in verdicts:
        found = one.flips
        if one.cannot_tell and one.task != ALL:
            untold.setdefault(title(one.task))
        if one.left_out:
            left_out.update(dict.fromkeys(map(title, one.left_out)))
        if one not in main and not _of_interest(one.task, verdicts):
            continue
        made.append(
            [
                one.row,
                title(one.task),
                "-" if found is None else f"{found.right_to_wrong:,}",
                "-" if found is None else f"{found.wrong_to_right:,}",
                "-" if found is None else f"{one.clear:,}",
                "-" if found is None or one.cannot_tell else f"{one.p:.3g}",
                "cannot tell" if one.cannot_tell else one.said,
            ]
        )
    if not made:
        return None
    heads = ["model", "exam", "lost", "won", "clear", "p (Holm)", "verdict"]
    return _table(
        "verdicts",
        f"Against {clean_line(verdicts[0].reference)}, question by question",
        heads,
        made,
        f"Cannot tell, since {IGNORANT} there than one fixed answer: "
        f"{', '.join(untold)}."
        if untold
        else "",
        f"Not counted in {ALL}: {', '.join(left_out)}." if left_out else "",
        widest=120,
    )


def _of_interest(task: str, verdicts: Sequence[ExamVerdict]) -> bool:
    """Whether something may be said of a task, or at least an answer has changed."""
    own = [one for one in verdicts if one.task == task]
    return any(
        not one.cannot_tell or (one.flips is not None and one.flips.changed)
        for one in own
    )


def _mark(row: ResultRow, measured: str) -> str:
    return DISTURBED if measured in row.disturbed else ""


def _told(found: Sequence[ResultRow], measured: str) -> str:
    """What the mark means, where a measurement whose name begins so has it."""
    names = (name for row in found for name in row.disturbed)
    return WHAT_DISTURBED if any(name.startswith(measured) for name in names) else ""


def _of_files(found: Iterable[ResultRow]) -> list[ResultRow]:
    """A row for each file, where it was loaded in several ways."""
    seen: dict[str, ResultRow] = {}
    for row in found:
        seen.setdefault(row.mark, row)
    return list(seen.values())


def _seconds(samples: Sequence[float] | None) -> str:
    return f"{median(samples):.2f} s" if samples else "-"


def _table(
    name: str,
    title: str,
    heads: Sequence[str],
    made: Sequence[Sequence[str]],
    *notes: str,
    widest: int = WIDEST,
) -> ResultTable | None:
    if not made:
        return None
    rows = tuple(tuple(row) for row in made)
    return ResultTable(
        name, title, tuple(heads), rows, tuple(filter(None, notes)), widest
    )
