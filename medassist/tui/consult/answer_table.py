"""A table of an answer: every character of every cell is seen, however narrow it is.

Where the columns have room for their longest words they stand beside each other; where
they have not, each row stands as lines of "heading: value". Nothing is shortened: of
two doses that begin with the same digit, both would look alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets.markdown import MarkdownBlock

from medassist.tui.consult.tied import tied, wrapped

if TYPE_CHECKING:
    from textual.css.styles import RulesMap

BETWEEN: Final = " │ "
JOINED: Final = " | "
"""Between the cells of a row in the text that is looked through for doses."""
HEADING: Final = "bold"
Cells = tuple[Content, ...]


class Laid(Visual):
    """Layout of a table in a given width.

    Args:
        headings: Those of the columns.
        rows: The cells of each row, as many as there are headings.
    """

    def __init__(self, headings: Cells, rows: tuple[Cells, ...]) -> None:
        self._headings = tuple(heading.stylize(HEADING) for heading in headings)
        self._rows = rows
        self._width = -1
        self._content = Content()

    def at(self, width: int) -> Content:
        """The whole table, each line of it at most `width` cells wide."""
        if width != self._width:
            widths = _widths((self._headings, *self._rows), width)
            lines = self._as_records(width) if widths is None else self._as_grid(widths)
            self._content = Content("\n").join([line.rstrip() for line in lines])
            self._width = width
        return self._content

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self.at(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.at(width).plain.count("\n") + 1

    def _as_grid(self, widths: Sequence[int]) -> list[Content]:
        lines = _side_by_side(self._headings, widths)
        rule = "─┼─".join("─" * width for width in widths)
        lines.append(Content(rule))
        # Where one row takes several lines, an empty one parts it from the next.
        rows = [_side_by_side(row, widths) for row in self._rows]
        apart = any(len(row) > 1 for row in rows)
        for place, row in enumerate(rows):
            if place and apart:
                lines.append(Content(rule))
            lines += row
        return lines

    def _as_records(self, width: int) -> list[Content]:
        lines: list[Content] = []
        for place, row in enumerate(self._rows or ((),)):
            if place:
                lines.append(Content("─" * max(1, width)))
            for column, heading in enumerate(self._headings):
                cell = row[column] if column < len(row) else Content()
                line = cell
                if heading.plain.strip():
                    line = (
                        Content(": ").join([heading, cell]) if self._rows else heading
                    )
                if line.plain.strip():
                    lines += wrapped(line, max(1, width))
        return lines


def _widths(rows: Sequence[Cells], width: int) -> list[int] | None:
    """Width of each column; `None` where a word would have to be broken."""
    columns = range(len(rows[0]))
    cells = [[row[column].plain for row in rows] for column in columns]
    natural = [
        max((cell_len(line) for text in column for line in text.split("\n")), default=1)
        for column in cells
    ]
    least = [
        max(
            (cell_len(piece) for text in column for piece in tied(text, width).split()),
            default=1,
        )
        for column in cells
    ]
    room = width - cell_len(BETWEEN) * (len(rows[0]) - 1)
    if sum(natural) <= room:
        return [max(1, wide) for wide in natural]
    if sum(least) > room:
        return None
    # What is left goes to those who lack most.
    lacking = [wide - narrow for wide, narrow in zip(natural, least, strict=True)]
    left, total = room - sum(least), sum(lacking)
    return [
        narrow + left * lack // total
        for narrow, lack in zip(least, lacking, strict=True)
    ]


def _side_by_side(cells: Cells, widths: Sequence[int]) -> list[Content]:
    columns = [wrapped(cell, w) for cell, w in zip(cells, widths, strict=True)]
    height = max(len(lines) for lines in columns)
    lines: list[Content] = []
    for at in range(height):
        parts = [
            _padded(column[at] if at < len(column) else Content(), width)
            for column, width in zip(columns, widths, strict=True)
        ]
        lines.append(Content(BETWEEN).join(parts))
    return lines


def _padded(content: Content, width: int) -> Content:
    content = content.rstrip()
    return content.pad_right(max(0, width - content.cell_length))


class AnswerTable(MarkdownBlock):
    """Table that draws itself: Textual's own shortens what has no room."""

    DEFAULT_CSS = """
    AnswerTable { height: auto; width: 1fr; margin-bottom: 1; }
    """

    headings: Cells = ()
    rows: tuple[Cells, ...] = ()

    def compose(self) -> ComposeResult:
        self._take(self)
        yield from ()

    def _take(self, block: MarkdownBlock) -> None:
        cells = list(_cells(block))
        headings = tuple(cell for name, cell in cells if name == "th_open")
        values = [cell for name, cell in cells if name == "td_open"]
        across = len(headings)
        starts = range(0, len(values), across or 1)
        self._show(headings, tuple(tuple(values[at : at + across]) for at in starts))
        block._blocks.clear()

    def _show(self, headings: Cells, rows: tuple[Cells, ...]) -> None:
        self.headings, self.rows = headings, rows
        self.update(Laid(headings, rows))

    async def _update_from_block(self, block: MarkdownBlock) -> None:
        if isinstance(block, AnswerTable):
            self._copy_context(block)
            self._take(block)
        else:
            await super()._update_from_block(block)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        laid = self.content
        if not isinstance(laid, Laid):
            return None
        return selection.extract(laid.at(self.content_size.width).plain), "\n"

    @property
    def texts(self) -> list[str]:
        """Each row as a line of text."""
        return [JOINED.join(cell.plain for cell in row) for row in self.rows]

    def style(self, styles: Sequence[Sequence[tuple[int, int, str]]]) -> None:
        """Style parts of the rows.

        Args:
            styles: For each of `texts`, from where to where in which style.
        """
        self._show(
            self.headings,
            tuple(_styled(row, of) for row, of in zip(self.rows, styles, strict=True)),
        )


def _cells(block: MarkdownBlock) -> Iterator[tuple[str, Content]]:
    """Contents of the blocks within a table, with the names of their tokens."""
    for inner in block._blocks:  # pyright: ignore[reportPrivateUsage]
        yield str(inner.name), inner._content  # pyright: ignore[reportPrivateUsage]
        yield from _cells(inner)


def _styled(row: Cells, styles: Sequence[tuple[int, int, str]]) -> Cells:
    cells: list[Content] = []
    first = 0
    for cell in row:
        length = len(cell.plain)
        for start, end, style in styles:
            a, b = max(0, start - first), min(length, end - first)
            if a < b:
                cell = cell.stylize(style, a, b)
        cells.append(cell)
        first += length + len(JOINED)
    return tuple(cells)
