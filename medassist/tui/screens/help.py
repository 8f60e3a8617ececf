"""Help: all keys and what they do."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.tui import keys
from medassist.tui.wording import screens as wording


class Help(ModalScreen[None]):
    """All current keys.

    Args:
        keymap: of the user.
        settings_file: where a key is changed.
        ids: of the commands that there are, where these are not all.
    """

    BINDINGS: ClassVar[list[BindingType]] = [keys.back("dismiss")]
    CSS_PATH = "help.tcss"

    def __init__(
        self, keymap: keys.Keymap, settings_file: str, ids: Collection[str] = ()
    ) -> None:
        super().__init__()
        self._ids = ids
        self._keymap = keymap
        self._settings_file = settings_file

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.KEYS, markup=False, id="title")
            with VerticalScroll(id="text"):
                yield Static(wording.CTRL, markup=False)
                for group, commands in keys.groups(self._ids):
                    yield Static(group, markup=False, classes="group")
                    for command in commands:
                        yield from self._line(command)
                yield Static(wording.OWN_KEYS, markup=False, classes="group")
                yield Static(wording.HOW_TO_CHANGE + self._settings_file, markup=False)
                yield Static(wording.AN_EXAMPLE, markup=False)
            yield Static(self._keymap.name(wording.HOW_BACK), markup=False, id="back")

    def _line(self, command: keys.Command) -> ComposeResult:
        about = Content.assemble(
            f"{command.title}. {command.about}", (f"  {command.id}", "$quiet")
        )
        with Horizontal(classes="line"):
            yield Static(self._keymap[command.id], markup=False, classes="key")
            yield Static(about, classes="about")
