"""The result as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from medassist.bench.recommend import broken
from medassist.bench.results import Line
from medassist.bench.rows import Row, rows, ttft
from medassist.bench.verdict import Verdict
from medassist.core.clean import clean_line
from medassist.core.words import parameters, size
from medassist.exams.figures import MEAN_KLD, PPL, PPL_RATIO, SAME_TOP
from medassist.exams.question_files import TITLES

WIDEST = 48
_QUALITY = ((PPL, 3), (PPL_RATIO, 4), (MEAN_KLD, 5), (SAME_TOP, 2))
DISTURBED = "*"


def as_text(lines: Sequence[Line], verdicts: Sequence[Verdict]) -> str:
    """All that was measured, in tables, with what may be said of it."""
    found = rows(lines)
    parts = [
        _files(found),
        _raw(found),
        _app(found),
        _sustained(found),
        _quality(found),
        _exams(found),
        _said(verdicts),
        _machine(lines),
    ]
    return "\n\n".join(part for part in parts if part)


def _files(found: Sequence[Row]) -> str:
    made: list[list[str]] = []
    for row in _of_files(found):
        memory = row.memory
        made.append(
            [
                row.name,
                row.model.quantization,
                _types(row),
                f"{row.model.bits:.2f}",
                parameters(row.model.params),
                size(row.model.bytes),
                *(
                    size(int(memory[name].value)) if name in memory else "-"
                    for name in ("resident", "peak", "private", "mapped", "estimated")
                ),
                *(
                    _seconds(row.load.get(place, {}).get("ready_s"))
                    for place in ("warm", "dropped from the cache")
                ),
            ]
        )
    heads = ["model", "type", "weights really", "bits", "params", "file"]
    heads += ["resident", "peak", "private", "mapped", "estimated", "load warm"]
    heads += ["load dropped"]
    return _table("Files, memory, loading", heads, made)


def _raw(found: Sequence[Row]) -> str:
    tests = list(dict.fromkeys(name for row in found for name in row.raw))
    if not tests:
        return ""
    made: list[list[str]] = []
    for row in found:
        if not row.raw:
            continue
        cells = [row.name, _loaded(row)]
        for name in tests:
            speed = row.raw.get(name)
            mark = DISTURBED if speed is not None and speed.disturbed else ""
            cells.append(
                "-"
                if speed is None
                else f"{speed.median:.1f} ±{100 * speed.spread:.0f}%{mark}"
            )
        made.append(cells)
    text = _table(
        "Raw speed, tok/s, median and largest deviation",
        ["model", "loaded", *tests],
        made,
    )
    if any(s.disturbed for row in found for s in row.raw.values()):
        text += (
            f"\n  {DISTURBED} other programs took more than a tenth of the processor"
        )
    return text


def _app(found: Sequence[Row]) -> str:
    made: list[list[str]] = []
    for row in _of_files(found):
        for panes, samples in row.app.items():
            for name in ("ttft_s", "ttft_s base", "ttft_s tuned"):
                if name not in samples:
                    continue
                pane = name.removeprefix("ttft_s")
                speed = samples.get(f"tok_per_s{pane}")
                read = samples.get(f"tokens_read{pane}")
                made.append(
                    [
                        row.name,
                        f"{panes}:{pane}" if pane else panes,
                        str(round(median(read))) if read else "-",
                        *_ttft(samples[name]),
                        f"{median(speed):.1f}" if speed else "-",
                    ]
                )
    heads = ["model", "panes", "tokens read", "first token p50", "p95", "longest"]
    text = _table(
        "Through the app: template, sampler and reader attached",
        [*heads, "tok/s"],
        made,
    )
    if made:
        text += (
            "\n  The raw speed has no template, sampler or reader, and a cache that is "
            "as small as can be; this is what a user sees."
        )
    return text


def _ttft(samples: Sequence[float]) -> list[str]:
    middle, late = ttft(samples)
    return [
        _bounded(middle.value, middle.low, middle.high),
        _bounded(late.value, late.low, late.high) if late else f"n={len(samples)} < 59",
        f"{max(samples):.2f} s",
    ]


def _bounded(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{value:.2f} s"
    return f"{value:.2f} s [{low:.2f}, {high:.2f}]"


def _sustained(found: Sequence[Row]) -> str:
    made = [
        [row.name, _loaded(row)]
        + [
            f"{figure.value:.2f} {figure.unit}".rstrip() if figure else "never"
            for figure in map(
                row.sustained.get,
                ("first minute", "last minute", "last by first", "below 95 % after"),
            )
        ]
        for row in found
        if row.sustained
    ]
    heads = ["model", "loaded", "first minute", "last minute", "last by first"]
    return _table("Sustained", [*heads, "below 95 % after"], made)


def _quality(found: Sequence[Row]) -> str:
    made: list[list[str]] = []
    for row in _of_files(found):
        if row.quality:
            cells = [row.name]
            for name, digits in (
                (PPL, 3),
                (PPL_RATIO, 4),
                (MEAN_KLD, 5),
                (SAME_TOP, 2),
            ):
                figure = row.quality.get(name)
                cells.append(
                    "-"
                    if figure is None
                    else f"{figure.value:.{digits}f} "
                    f"[{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
                )
            made.append([*cells, broken(row)])
    heads = ["model", PPL, PPL_RATIO, MEAN_KLD, f"{SAME_TOP} %", ""]
    text = _table("Quality on the text, 95 % intervals over chunks", heads, made)
    if made:
        text += (
            "\n  A divergence shows a broken file; among good ones it does not tell "
            "which answers better. The exams do."
        )
    return text


def _exams(found: Sequence[Row]) -> str:
    tasks = list(dict.fromkeys(task for row in found for task in row.exams))
    if not tasks:
        return ""
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
    heads = ["model", *(TITLES.get(task, task) for task in tasks)]
    return _table("Exams, right answers", heads, made)


def _said(verdicts: Sequence[Verdict]) -> str:
    made: list[list[str]] = []
    for one in verdicts:
        found = one.flips
        made.append(
            [
                one.row,
                TITLES.get(one.task, one.task),
                "-" if found is None else f"{found.right_to_wrong:,}",
                "-" if found is None else f"{found.wrong_to_right:,}",
                "-" if found is None else f"{one.clear:,}",
                "-" if found is None else f"{one.p:.3g}",
                one.said,
            ]
        )
    if not made:
        return ""
    heads = ["model", "exam", "lost", "won", "clear", "p (Holm)", "verdict"]
    return _table(
        f"Against {clean_line(verdicts[0].reference)}, question by question",
        heads,
        made,
        widest=120,
    )


def _machine(lines: Sequence[Line]) -> str:
    machine = next((line.machine for line in lines if line.machine), None)
    if machine is None:
        return ""
    text = (
        f"{machine.get('cpu')}, {machine.get('cores')} cores, "
        f"{size(int(machine.get('memory', 0)))}, {machine.get('system')}; "
        f"llama-cpp-python {machine.get('llama_cpp')} "
        f"(llama.cpp {machine.get('commit')})."
    )
    made = [clean_line(text)]
    unread: dict[str, str] = machine.get("not_readable", {})
    made += [f"{name}: not readable: {why}." for name, why in unread.items()]
    return "\n".join(clean_line(line) for line in made)


def _of_files(found: Iterable[Row]) -> list[Row]:
    """A row for each file, where it was loaded in several ways."""
    seen: dict[str, Row] = {}
    for row in found:
        seen.setdefault(row.mark, row)
    return list(seen.values())


def _types(row: Row) -> str:
    """The types that most of the weights have."""
    total = sum(row.model.types.values())
    if not total:
        return "-"
    shares = [(kind, 100 * n / total) for kind, n in row.model.types.items()]
    return " ".join(f"{kind} {share:.0f}%" for kind, share in shares[:3] if share >= 1)


def _loaded(row: Row) -> str:
    own = row.settings
    if own is None:
        return "-"
    flash = ", flash" if own.flash_attn else ""
    return f"{own.n_threads} threads, {own.type_k}{flash}"


def _seconds(samples: Sequence[float] | None) -> str:
    return f"{median(samples):.2f} s" if samples else "-"


def _table(
    title: str,
    heads: Sequence[str],
    made: Sequence[Sequence[str]],
    widest: int = WIDEST,
) -> str:
    if not made:
        return ""
    cells = [[_short(clean_line(c), widest) for c in row] for row in (heads, *made)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(heads))]
    body = (
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join([title, *body])


def _short(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[: widest - 1]}…"
