"""Tables on slides: columns as wide as their words, rows as many as fit."""

from __future__ import annotations

from typing import Any

from pptx.enum.dml import MSO_THEME_COLOR
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.util import Emu, Inches, Pt

from medassist.report.elements import Column, Table
from medassist.report.shown import cut, shown_line

SIZES = (18, 16, 14, 12)  # points: the largest that fits, else the smallest
LONGEST_CELL = 220  # characters
WIDEST = 60.0  # characters that a column asks for at most
PADDING = 0.2  # inches, left and right of a cell together


def add_table(holder: Any, table: Table) -> int:
    """Put `table` into a table placeholder.

    Returns:
        How many rows did not fit.
    """
    cells = [
        [cut(shown_line(cell), LONGEST_CELL) for cell in row] for row in table.rows
    ]
    full, room = Emu(holder.width).inches, Emu(holder.height).inches
    size = SIZES[0]
    widths, heights = _fitted(table.columns, cells, size, full)
    for size in SIZES:
        widths, heights = _fitted(table.columns, cells, size, full)
        if sum(heights) <= room and sum(widths) <= full + 0.01:
            break
    shown_rows, used = 0, heights[0]
    for height in heights[1:]:
        if used + height > room:
            break
        used += height
        shown_rows += 1
    frame = holder.insert_table(shown_rows + 1, len(table.columns))
    frame.width, frame.height = Inches(sum(widths)), Inches(used)
    frame.name = cut(shown_line(table.caption), 100)
    frame._element.nvGraphicFramePr.cNvPr.set("descr", shown_line(table.caption))
    grid = frame.table
    _plain_style(grid)
    for place, width in enumerate(widths):
        grid.columns[place].width = Inches(width)
    header = [column.name for column in table.columns]
    for number, row in enumerate([header, *cells[:shown_rows]]):
        grid.rows[number].height = Inches(heights[number])
        for place, words in enumerate(row):
            column = table.columns[place]
            _cell(
                grid.cell(number, place),
                words,
                size - 3 if table.codes and number and place else size,
                head=number == 0,
                right=column.figures,
            )
    return len(cells) - shown_rows


def _fitted(
    columns: tuple[Column, ...], cells: list[list[str]], size: int, full: float
) -> tuple[list[float], list[float]]:
    """Widths of the columns and heights of the rows, the header's first, in inches."""
    widths = _widths(columns, cells, size, full)
    line = size * 1.22 / 72
    header = [column.name + "mm" for column in columns]  # it is set bold
    heights = [
        max(_lines(cell, width, size) for cell, width in zip(row, widths, strict=True))
        * line
        + 0.12
        for row in (header, *cells)
    ]
    return widths, heights


def _widths(
    columns: tuple[Column, ...], cells: list[list[str]], size: int, full: float
) -> list[float]:
    """Inches of each column, together `full` at most."""
    wants: list[float] = []
    for place, column in enumerate(columns):
        longest = max((len(row[place]) for row in cells), default=0)
        # A heading may break between words, figures may not.
        head = 1.25 * max(len(word) for word in column.name.split()) + 1  # bold
        wants.append(min(WIDEST, max(longest, head)) * _character(size) + PADDING)
    if sum(wants) <= full:
        spare = full - sum(wants)
        # What is left over goes to the columns of words; a table of few columns
        # stays narrow, so that the eye finds the end of a row.
        words = [n for n, column in enumerate(columns) if not column.figures]
        each = min(1.6, spare / max(1, len(words)))
        return [want + each * (n in words) for n, want in enumerate(wants)]
    fixed = [want if c.figures else 0.0 for want, c in zip(wants, columns, strict=True)]
    rest = full - sum(fixed)
    asked = sum(wants) - sum(fixed)
    # No word of a column of words is to be broken: what is left over beyond their
    # longest words is shared out by what each wants.
    least = [
        0.0
        if column.figures
        else min(16, max((len(w) for row in cells for w in row[n].split()), default=0))
        * 1.15
        * _character(size)
        + PADDING
        for n, column in enumerate(columns)
    ]
    spare = rest - sum(least)
    if not asked or spare < 0.3 * sum(least):
        return wants if size > SIZES[-1] else [w * full / sum(wants) for w in wants]
    return [
        have or low + want * spare / asked
        for have, low, want in zip(fixed, least, wants, strict=True)
    ]


def _lines(words: str, width: float, size: int) -> int:
    """About how many lines `words` take in a cell."""
    room = max(3, int((width - PADDING) / _character(size)))
    lines, left = 1, room
    for word in words.split(" "):
        if len(word) > left and left < room:
            lines, left = lines + 1, room
        lines += max(0, len(word) - 1) // room
        left -= len(word) % room + 1
    return lines


def _character(size: int) -> float:
    return size * 0.56 / 72  # inches, of a letter of Arial, rather wide


def _cell(cell: Any, words: str, size: int, *, head: bool, right: bool) -> None:
    cell.margin_left = cell.margin_right = Inches(PADDING / 2)
    cell.margin_top = cell.margin_bottom = Inches(0.04)
    cell.vertical_anchor = MSO_ANCHOR.BOTTOM if head else MSO_ANCHOR.TOP
    cell.fill.solid()
    cell.fill.fore_color.theme_color = (
        MSO_THEME_COLOR.BACKGROUND_2 if head else MSO_THEME_COLOR.BACKGROUND_1
    )
    paragraph = cell.text_frame.paragraphs[0]
    paragraph.alignment = PP_ALIGN.RIGHT if right else PP_ALIGN.LEFT
    run = paragraph.add_run()
    run.text = words
    run.font.size = Pt(size)
    run.font.bold = head
    run.font.color.theme_color = (
        MSO_THEME_COLOR.TEXT_2 if head else MSO_THEME_COLOR.TEXT_1
    )


def _plain_style(grid: Any) -> None:
    """PowerPoint's style with thin lines, and the header told to screen readers."""
    grid.first_row = True
    grid.first_col = True
    grid.horz_banding = False
    style = grid._tbl.tblPr.find(
        "{http://schemas.openxmlformats.org/drawingml/2006/main}tableStyleId"
    )
    if style is not None:
        style.text = "{5940675A-B579-460E-94D1-54222C63F5DA}"  # No Style, Table Grid
