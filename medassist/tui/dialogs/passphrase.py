"""Dialogs for the passphrase of the records: choose, enter, change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Static

from medassist.records.errors import RecordsError
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.dialogs.secret import Secret
from medassist.tui.wording import dialogs as wording

Kind = Literal["new", "open", "change"]
Act = Callable[["Typed"], Awaitable[None]]


class Typed:
    """The typed passphrase, and whether to store the key in the keyring."""

    def __init__(self, old: str, new: str, keyring: bool) -> None:
        self.old = old
        self.new = new
        self.keyring = keyring


class Passphrase(ModalScreen[bool]):
    """Dismissed with True once it is done, with False when the user goes back.

    Args:
        kind: what is wanted.
        act: does it; a `RecordsError` of it is told, and the user can try again.
        problem: what is told at first; may be empty.
        keyring: offer to keep the key in the system's keyring.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("back"),
        *keys.bindings("passphrase"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]
    CSS_PATH = "passphrase.tcss"

    def __init__(
        self, kind: Kind, act: Act, problem: str = "", keyring: bool = False
    ) -> None:
        super().__init__()
        self._kind: Kind = kind
        self._act = act
        self._problem = problem
        self._keyring = keyring
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.RECORDS_TITLES[self._kind], markup=False, id="title")
            with VerticalScroll(id="text", can_focus=False):
                yield Static(wording.RECORDS_TEXTS[self._kind], markup=False)
                for name, label in wording.RECORDS_FIELDS[self._kind]:
                    yield Static(label, markup=False, classes="label")
                    yield Secret(id=name, compact=True)
                if self._keyring:
                    yield Checkbox(
                        wording.IN_KEYRING,
                        id="keyring",
                        compact=True,
                    )
            yield Static("", markup=False, id="problem")
            with Buttons(id="answers"):
                yield button(wording.RECORDS_DO[self._kind], "do", primary=True)
                yield button(wording.NOT_NOW, "back", "screen.back")

    def on_mount(self) -> None:
        self._say(self._problem)
        self._fields[0].focus()

    @property
    def _fields(self) -> list[Input]:
        return list(self.query(Input))

    def _say(self, sentence: str, fault: bool = True) -> None:
        line = self.query_one("#problem", Static)
        line.update(sentence)
        line.display = bool(sentence)
        line.set_class(fault, "-fault")

    @on(Input.Submitted)
    @on(Button.Pressed, "#do")
    def _on_do(self) -> None:
        if self._busy:
            return
        for field in self._fields:
            if not field.value:
                field.focus()
                return
        values = {field.id: field.value for field in self._fields}
        if "again" in values and values["again"] != values["new"]:
            self._say(wording.DIFFERENT)
            self._empty("new", "again")
            return
        box = self.query(Checkbox)
        typed = Typed(
            values.get("old", ""),
            values.get("new", ""),
            bool(box) and box.first().value,
        )
        self._busy = True
        self._say(wording.MAKING_KEY, fault=False)
        self.run_worker(self._do(typed), group="passphrase")

    async def _do(self, typed: Typed) -> None:
        try:
            await self._act(typed)
        except RecordsError as error:
            self._busy = False
            self._say(str(error))
            self._empty(*(field.id or "" for field in self._fields))
        else:
            self._empty(*(field.id or "" for field in self._fields))
            self.dismiss(True)

    def _empty(self, *names: str) -> None:
        for field in self._fields:
            if field.id in names:
                field.value = ""
        for field in self._fields:
            if not field.value:
                field.focus()
                break

    def action_back(self) -> None:
        if not self._busy:
            self.dismiss(False)
