"""The passphrase of the records: chosen, asked for, changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Static

from medassist.records.errors import RecordsError
from medassist.tui import keys
from medassist.tui.dialogs.secret import Secret

Kind = Literal["new", "open", "change"]
Act = Callable[["Typed"], Awaitable[None]]

WORKING = "One moment: the passphrase is made into a key."
DIFFERENT = "The two are not the same. Type the new passphrase twice."
_TITLES = {
    "new": "Choose a passphrase for the records",
    "open": "Open the records",
    "change": "Change the passphrase",
}
_TEXTS = {
    "new": (
        "From now on consultations are saved on this computer, encrypted. Without "
        "this passphrase nobody can read them who gets hold of the computer, its disk "
        "or a backup. It does not protect from somebody at this screen while it is "
        "unlocked.\n\n"
        "Nobody can recover it: there is no second key. Write it down and keep it in "
        "a safe place. At least 8 characters; four or five words that do not belong "
        "together are better."
    ),
    "open": "What is on the screen is saved too, once the records are open.",
    "change": (
        "The records stay as they are; only their key is sealed anew. An older copy "
        "of key.json, in a backup for example, still opens with the older passphrase."
    ),
}
_FIELDS = {
    "new": (("new", "Passphrase"), ("again", "The same again")),
    "open": (("old", "Passphrase"),),
    "change": (
        ("old", "The passphrase until now"),
        ("new", "The new one"),
        ("again", "The new one again"),
    ),
}
_DO = {"new": "Begin the records", "open": "Open", "change": "Change"}


class Typed:
    """What the user has typed, and whether the key shall go into the keyring."""

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
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012
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
            yield Static(_TITLES[self._kind], markup=False, id="title")
            with VerticalScroll(id="text", can_focus=False):
                yield Static(_TEXTS[self._kind], markup=False)
                for name, label in _FIELDS[self._kind]:
                    yield Static(label, markup=False, classes="label")
                    yield Secret(id=name, compact=True)
                if self._keyring:
                    yield Checkbox(
                        "Keep the key in this computer's keyring: whoever is logged "
                        "in as you can open the records without the passphrase",
                        id="keyring",
                        compact=True,
                    )
            yield Static("", markup=False, id="problem")
            with Horizontal(id="answers"):
                yield Button(_DO[self._kind], id="do", variant="primary", compact=True)
                yield Button("Not now", id="back", compact=True)

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
            self._say(DIFFERENT)
            self._empty("new", "again")
            return
        box = self.query(Checkbox)
        typed = Typed(
            values.get("old", ""),
            values.get("new", ""),
            bool(box) and box.first().value,
        )
        self._busy = True
        self._say(WORKING, fault=False)
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

    @on(Button.Pressed, "#back")
    def action_back(self) -> None:
        if not self._busy:
            self.dismiss(False)
