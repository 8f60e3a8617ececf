"""Screen of models and pairs: choose, import, inspect, download.

What each key does is in `models_flow.py`; files are named by hand in
`dialogs/choose.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, cast

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, DataTable, Static

from medassist.core.clean import clean
from medassist.core.words import size
from medassist.session.choice import Choice
from medassist.starter import STARTER
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.consult.key_line import KeyLine
from medassist.tui.face import Face, face
from medassist.tui.line import Line
from medassist.tui.screen_of_parts import ScreenOfParts
from medassist.tui.screens.model_rows import ModelRow
from medassist.tui.screens.models_flow import Library
from medassist.tui.wording import screens as wording

LABEL = 16
AGAIN_S = 0.2


class ModelsScreen(ScreenOfParts[Choice | None]):
    """Dismissed with the models to load, or with `None` if cancelled.

    Args:
        now: The models that are chosen at present.
        former: The models to go back to if `now` could not be loaded.
        problem: Why `now` could not be loaded; may be empty.
        freed: Bytes that the models which run now give back before others load.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("back", first=True),
        *keys.bindings("models"),
        *keys.same("models", "back"),
    ]
    CSS_PATH = "models.tcss"
    AUTO_FOCUS = "#list"

    def __init__(
        self, now: Choice, former: Choice, problem: str = "", freed: int = 0
    ) -> None:
        super().__init__()
        self.now = now
        self._former = former
        self._problem = problem
        self.library = Library(self, freed)
        self._confirmed = ""

    def compose(self) -> ComposeResult:
        yield Static(wording.MODELS, markup=False, id="title")
        yield Line(wording.LOOKING, id="free")
        yield Static(clean(self._problem), markup=False, id="problem")
        yield DataTable[Text](id="list", cursor_type="row", zebra_stripes=False)
        with VerticalScroll(id="about"):
            yield Static("", markup=False, id="facts")
        yield Line("", id="working")
        with Buttons(id="answers"):
            yield button(wording.LOAD, "load", primary=True)
            yield button(wording.STARTER, "starter")
            yield button(wording.NAME_FILES, "files", "screen.files")
            yield button(self._back_label, "back", "screen.back")
        yield KeyLine()

    @property
    def face(self) -> Face:
        """App that asks the user."""
        return face(self)

    @property
    def _back_label(self) -> str:
        if self._problem and self._former != self.now:
            return clean(wording.BACK_TO.format(name=self._former.name))
        return wording.BACK

    def on_mount(self) -> None:
        self.query_one("#problem").display = bool(self._problem)
        self.tell("")
        self._lay_out()
        self.library.refresh()

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one("#list"))

    @property
    def chosen(self) -> ModelRow | None:
        """The row under the cursor."""
        rows, at = self.library.rows, self._table.cursor_row
        return rows[at] if 0 <= at < len(rows) else None

    def show(self, name: str | None = None) -> None:
        """Show the rows that the library has now, the cursor on the one called `name`.

        Without a name it stays where it is, or goes to the pair that is loaded.
        """
        before = self.chosen.key if self.chosen else None
        wanted = name or before or self.now.pair or STARTER
        table = self._table
        self._lay_out()
        for row in self.library.rows:
            table.add_row(*(Text(cell) for cell in row.cells), key=row.key)
        found = [row.key for row in self.library.rows]
        if wanted in found:
            table.move_cursor(row=found.index(wanted))
        self.query_one("#free", Line).say(
            wording.MEMORY_FREE.format(size=size(self.library.available))
        )
        self._describe()

    def _lay_out(self) -> None:
        """Empty the list, with columns as wide as what comes into them.

        Textual measures them after the rows may have been drawn, and keeps what it has
        drawn: on a busy computer names stayed cut off.
        """
        self._table.clear(columns=True)
        for at, label in enumerate(wording.COLUMNS):
            cells = (label, *(row.cells[at] for row in self.library.rows))
            self._table.add_column(label, width=max(map(cell_len, cells)))

    def tell(self, sentence: str) -> None:
        """Show a message until the next one."""
        line = self.query_one("#working", Line)
        line.display = bool(sentence)
        line.say(clean(sentence))

    def tell_again(self, said: Callable[[], str]) -> Callable[[], None]:
        """Show `said()` repeatedly; call the returned function to stop."""
        return self.set_interval(AGAIN_S, lambda: self.tell(said())).stop

    @on(DataTable.RowHighlighted)
    def _describe(self) -> None:
        row = self.chosen
        facts = self.library.facts_of(row) if row else ()
        self.query_one("#facts", Static).update(_in_columns(facts))
        self._confirmed = ""

    @on(DataTable.RowSelected)
    @on(Button.Pressed, "#load")
    def action_load(self) -> None:
        row = self.chosen
        if row is None:
            return
        choice = row.choice
        if choice is None:
            self.tell(row.problem or self.face.keymap.name(wording.NEEDS_BASE))
            return
        listed = row.pair or row.model
        if listed and listed.fits == "does not fit" and self._confirmed != row.key:
            self._confirmed = row.key
            free = size(self.library.available)
            self.tell(
                wording.TOO_LARGE.format(
                    name=row.key, need=size(listed.need), free=free
                )
            )
            return
        self.dismiss(choice)

    @on(Button.Pressed, "#starter")
    def _on_starter(self) -> None:
        self.dismiss(Choice())

    def action_back(self) -> None:
        self.library.stop()
        self.dismiss(self._former if self._former != self.now else None)

    def action_files(self) -> None:
        from medassist.tui.dialogs.choose import ChooseModels

        def taken(choice: Choice | None) -> None:
            if choice is not None:
                self.dismiss(choice)

        self.app.push_screen(ChooseModels(self.now), taken)  # pyright: ignore[reportUnknownMemberType]


def _in_columns(facts: Iterable[tuple[str, str]]) -> Table:
    """Labels and values; a value that takes several lines stays in its column."""
    table = Table.grid()
    table.add_column(width=LABEL)
    table.add_column()
    for label, text in facts:
        table.add_row(Text(label), Text(clean(text)))
    return table
