"""Screen of verdict statistics, with export as a table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.face import face
from medassist.tui.wording import screens as wording

if TYPE_CHECKING:
    from medassist.consult.verdicts import JudgedTurn


class VerdictsScreen(ModalScreen[None]):
    """Verdicts of this session and of the open records.

    Args:
        gather: Gives the verdicts.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss"),
        *keys.same("verdicts", "dismiss"),
    ]
    CSS_PATH = "verdicts.tcss"
    AUTO_FOCUS = "#text"

    def __init__(self, gather: Callable[[], Awaitable[list[JudgedTurn]]]) -> None:
        super().__init__()
        self._gather = gather
        self._given: list[JudgedTurn] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.VERDICTS_TITLE, markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(wording.COUNTING, markup=False, id="figures")
            yield Static("", markup=False, id="said")
            with Buttons(id="answers"):
                yield button(wording.WRITE_CSV, "csv", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss")

    async def on_mount(self) -> None:
        self.query_one("#csv").display = False
        self.run_worker(self._count(), exclusive=True)

    async def _count(self) -> None:
        from medassist.consult.verdict_words import NONE_YET, as_text

        self._given = await self._gather()
        text = await asyncio.to_thread(as_text, self._given)
        text = text or face(self).keymap.name(NONE_YET)
        self.query_one("#figures", Static).update(text)
        self.query_one("#csv").display = bool(self._given)

    @on(Button.Pressed, "#csv")
    def _on_csv(self) -> None:
        self.run_worker(self._write(), exclusive=True, group="csv")

    async def _write(self) -> None:
        from medassist.tui.dialogs.one_line import OneLine

        name = wording.CSV_NAME.format(
            when=f"{datetime.now().astimezone():%Y-%m-%d-%H%M}"
        )
        typed = await face(self).push_screen_wait(
            OneLine(*wording.CSV, str(Path.cwd() / name))
        )
        if typed:
            said = await asyncio.to_thread(_written, Path(typed), self._given)
            self.query_one("#said", Static).update(said)


def _written(file: Path, given: list[JudgedTurn]) -> str:
    """Write the table; what is to be said of it."""
    from medassist.consult.verdict_table import table
    from medassist.core.files import write_new

    try:
        file = file.expanduser()
        write_new(file, table(given))
    except FileExistsError:
        return wording.CSV_IS_THERE.format(file=file)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return wording.CSV_FAILED.format(file=file, why=why)
    return wording.CSV_WRITTEN.format(file=file)
