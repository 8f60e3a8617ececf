"""Differences between two answers, side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.tui import keys
from medassist.tui.consult.key_line import KeyLine
from medassist.tui.wording import screens as wording

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from medassist.consult.differences import Differences, Fact, Mark, SentencePair
    from medassist.text.sentences import Sentence

BESIDE_FROM = 100
"""Columns below which one answer's sentence stands above the other's."""


class DifferencesScreen(ModalScreen[None]):
    """Doses, numbers and negations first, then sentence by sentence.

    Args:
        texts: The two answers, cleaned, that of side A first.
        names: What they are called.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss"),
        *keys.same("differences", "dismiss"),
    ]
    CSS_PATH = "differences.tcss"
    AUTO_FOCUS = "#rows"

    def __init__(self, texts: tuple[str, str], names: tuple[str, str]) -> None:
        super().__init__()
        self._texts = texts
        self._names = names
        self._found: Differences | None = None

    def compose(self) -> ComposeResult:
        yield Static(wording.DIFFERENCES, markup=False, id="title")
        with VerticalScroll(id="rows"):
            yield Static(wording.COMPARING, markup=False, id="table")
        yield KeyLine()

    async def on_mount(self) -> None:
        self.run_worker(self._compare(), exclusive=True)

    async def _compare(self) -> None:
        from medassist.consult.differences import compare

        self._found = await asyncio.to_thread(compare, *self._texts)
        self.query_one("#title", Static).update(
            wording.differences(self._found.summary)
        )
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._found is not None:
            beside = self.size.width >= BESIDE_FROM
            drawn = _Drawing(self._texts, self._names, self._colours, beside)
            self.query_one("#table", Static).update(drawn.of(self._found))

    @property
    def _colours(self) -> dict[str, str]:
        variables = self.app.get_css_variables()  # pyright: ignore[reportUnknownMemberType]
        names = ("foreground", "quiet", "warning", "pane-base", "pane-tuned")
        return {name: variables[name] for name in names}


class _Drawing:
    """The rows as one table: hundreds of widgets would take seconds to mount."""

    def __init__(
        self,
        texts: tuple[str, str],
        names: tuple[str, str],
        colours: dict[str, str],
        beside: bool,
    ) -> None:
        self._texts = texts
        self._names = names
        self._colours = colours
        self._beside = beside

    def of(self, found: Differences) -> RenderableType:
        from rich.console import Group

        from medassist.consult.differences import FACTS

        parts: list[RenderableType] = []
        for fact in FACTS:
            if rows := found.first(fact):
                parts += [
                    self._head(f"{wording.HEADS[fact]} ({len(rows)})"),
                    self._names_line,
                ]
                parts += [self._table([row], fact) for row in rows]
        if not parts:
            parts.append(self._text(wording.NONE_DIFFERS, "quiet"))
        parts += [self._head(wording.BY_SENTENCE), self._names_line]
        parts.append(self._table(found.rows, None))
        return Group(*parts)

    def _head(self, text: str) -> Text:
        return self._text(f"\n{text}", "warning", "bold")

    @property
    def _names_line(self) -> RenderableType:
        from rich.console import Group

        a = self._text(self._names[0], "pane-base", "bold")
        b = self._text(self._names[1], "pane-tuned", "bold")
        if self._beside:
            return self._grid([(a, b)])
        return Group()

    def _table(
        self, rows: tuple[SentencePair, ...] | list[SentencePair], fact: Fact | None
    ) -> RenderableType:
        cells = [
            (
                self._cell(row.a, row.marks_a, 0, row, fact),
                self._cell(row.b, row.marks_b, 1, row, fact),
            )
            for row in rows
        ]
        return self._grid(cells)

    def _grid(self, cells: list[tuple[Text, Text]]) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        if self._beside:
            grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
            grid.add_column(ratio=1)
            grid.add_column(ratio=1)
            for a, b in cells:
                grid.add_row(a, b)
                grid.add_row(Text(), Text())
            return grid
        grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        for a, b in cells:
            grid.add_row(self._text(self._names[0][:1], "pane-base", "bold"), a)
            grid.add_row(self._text(self._names[1][:1], "pane-tuned", "bold"), b)
            grid.add_row(Text(), Text())
        return grid

    def _cell(
        self,
        sentence: Sentence | None,
        marks: tuple[Mark, ...],
        side: int,
        row: SentencePair,
        fact: Fact | None,
    ) -> Text:
        if sentence is None:
            return self._text(wording.NOTHING_LIKE_IT, "quiet", "italic")
        text = self._text(
            self._texts[side][sentence.start : sentence.end],
            "quiet" if row.same else "foreground",
        )
        alone = row.a is None or row.b is None
        for mark in marks:
            if mark.kind == "words" and (alone or fact is not None):
                continue  # a whole sentence underlined cannot be read
            if fact is not None and mark.kind != fact:
                continue
            style = (
                "underline"
                if mark.kind == "words"
                else f"bold reverse {self._colours['warning']}"
            )
            start, end = mark.start - sentence.start, mark.end - sentence.start
            text.stylize(style, start, end)
        return text

    def _text(self, text: str, colour: str, style: str = "") -> Text:
        from medassist.tui.screens.tied_text import TiedText

        return TiedText(text, style=f"{style} {self._colours[colour]}".strip())
