"""A result as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from medassist.bench.exam_verdict import ExamVerdict
from medassist.bench.result_rows import notes_of, rows
from medassist.bench.result_tables import ResultTable, tables
from medassist.bench.results import ResultLine
from medassist.core.clean import clean_line
from medassist.core.words import size


def as_text(lines: Sequence[ResultLine], verdicts: Sequence[ExamVerdict]) -> str:
    """All tables and verdicts as text."""
    parts = [_as_text(table) for table in tables(lines, verdicts)]
    if notes := [f"  {clean_line(note)}" for note in notes_of(rows(lines))]:
        parts.append("\n".join(("Notes", *notes)))
    return "\n\n".join([*parts, "\n".join(computed_by(lines))]).rstrip()


def computed_by(lines: Sequence[ResultLine]) -> list[str]:
    """Sentences on the computer and on what could not be read of it."""
    machine = next((line.machine for line in lines if line.machine), None)
    if machine is None:
        return []
    text = (
        f"{machine.get('cpu')}, {machine.get('cores')} cores, "
        f"{size(int(machine.get('memory', 0)))}, {machine.get('system')}; "
        f"llama-cpp-python {machine.get('llama_cpp')} "
        f"(llama.cpp {machine.get('commit')})."
    )
    unread: dict[str, str] = machine.get("not_readable", {})
    made = [text, *(f"{n}: not readable: {why}." for n, why in unread.items())]
    return [clean_line(line) for line in made]


def _as_text(table: ResultTable) -> str:
    cells = [
        [_short(clean_line(cell), table.widest) for cell in row]
        for row in (table.heads, *table.rows)
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(len(table.heads))]
    body = (
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    notes = (f"  {clean_line(note)}" for note in table.notes)
    return "\n".join([table.title, *body, *notes])


def _short(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[: widest - 1]}…"
