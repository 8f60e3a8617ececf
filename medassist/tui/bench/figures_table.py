"""Table of the figures so far, with as many columns as fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from medassist.bench.result_rows import ResultRow, rows
from medassist.bench.results import ResultLine
from medassist.core.clean import clean_line
from medassist.core.words import size
from medassist.exams.perplexity import MEAN_KLD, PPL
from medassist.tui.wording import bench as wording

LEAST_NAME = 24
GAP = 2


def _raw(kind: str) -> Callable[[ResultRow], str]:
    def cell(row: ResultRow) -> str:
        found = [s for name, s in row.raw.items() if name.startswith(kind)]
        return f"{found[0].median:.1f}" if found else ""

    return cell


def _sample(name: str, form: str) -> Callable[[ResultRow], str]:
    def cell(row: ResultRow) -> str:
        for samples in row.app.values():
            if samples.get(name):
                return form.format(median(samples[name]))
        return ""

    return cell


def _figure(name: str, digits: int) -> Callable[[ResultRow], str]:
    def cell(row: ResultRow) -> str:
        found = row.quality.get(name)
        return f"{found.value:.{digits}f}" if found else ""

    return cell


def _right(row: ResultRow) -> str:
    """Right answers of all exams together."""
    count = sum(items for _, items in row.exams.values())
    right = sum(share * items for share, items in row.exams.values())
    return f"{100 * right / count:.1f} %" if count else ""


def _resident(row: ResultRow) -> str:
    found = row.memory.get("resident")
    return size(int(found.value)) if found else ""


def _load(row: ResultRow) -> str:
    found = row.load.get("warm", {}).get("ready_s")
    return f"{median(found):.2f} s" if found else ""


def _sustained(row: ResultRow) -> str:
    found = row.sustained.get("last by first")
    return f"{found.value:.2f}" if found else ""


COLUMNS: tuple[tuple[str, int, Callable[[ResultRow], str]], ...] = (
    ("read/s", 7, _raw("pp")),
    ("write/s", 7, _raw("tg")),
    ("right", 7, _right),
    ("app/s", 6, _sample("tok_per_s", "{:.1f}")),
    ("first", 7, _sample("ttft_s", "{:.2f} s")),
    ("memory", 8, _resident),
    ("KLD", 7, _figure(MEAN_KLD, 4)),
    ("PPL", 7, _figure(PPL, 2)),
    ("load", 7, _load),
    ("kept", 5, _sustained),
)
"""Head, width and cell of each, the ones that matter most first."""


def table(lines: Sequence[ResultLine], names: Sequence[str], width: int) -> list[str]:
    """Header and one line for each row, none wider than `width`.

    Args:
        lines: what was found by now.
        names: of all rows, also of those of which nothing is known yet.
        width: letters that there is room for.
    """
    found = rows(lines)
    used = [
        column for column in COLUMNS if not found or any(map(column[2], found))
    ] or list(COLUMNS)
    room = width - LEAST_NAME
    shown: list[tuple[str, int, Callable[[ResultRow], str]]] = []
    for column in used:
        if column[1] + GAP <= room:
            shown.append(column)
            room -= column[1] + GAP
    made: list[tuple[str, list[str]]] = []
    known: set[str] = set()
    for row in found:
        known.add(row.name)
        cells = [cell(row) or wording.NOTHING for _, _, cell in shown]
        made.append((_short(row.name), cells))
    waiting = [wording.NOTHING] * len(shown)
    made += [(_short(name), waiting) for name in names if name not in known]
    longest = max((len(name) for name, _ in made), default=0)
    wide = min(max(longest, LEAST_NAME), LEAST_NAME + max(0, room))
    head = (wording.MODEL, [name for name, _, _ in shown])
    return [_line(row, wide, shown) for row in (head, *made)]


def _short(name: str) -> str:
    """Every file here is a GGUF."""
    return clean_line(name).replace(".gguf", "")


def _line(
    row: tuple[str, list[str]],
    wide: int,
    shown: Sequence[tuple[str, int, Callable[[ResultRow], str]]],
) -> str:
    name, cells = row
    if len(name) > wide:
        # Files of one model differ at the end of their names.
        tail = wide * 2 // 3
        name = f"{name[: wide - tail - 1]}…{name[-tail:]}"
    figures = (
        cell.rjust(width) for cell, (_, width, _) in zip(cells, shown, strict=True)
    )
    return (" " * GAP).join((name.ljust(wide), *figures)).rstrip()
