"""Every key and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.tui import keys

OWN_KEYS = (
    "The word at the end of each line is the command's name. To give it another key, "
    "write it with that key (several with commas between them) into\n"
)


class Help(ModalScreen[None]):
    """The keys as they are bound now."""

    BINDINGS: ClassVar[list[BindingType]] = [keys.back("dismiss")]
    CSS_PATH = "help.tcss"

    def __init__(self, chosen: Mapping[str, str], settings_file: str) -> None:
        super().__init__()
        self._chosen = chosen
        self._settings_file = settings_file

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static("Keys", markup=False, id="title")
            with VerticalScroll(id="text"):
                for group, commands in keys.groups():
                    yield Static(group, markup=False, classes="group")
                    for command in commands:
                        yield from self._line(command)
                yield Static("Keys of your own", markup=False, classes="group")
                yield Static(OWN_KEYS + self._settings_file, markup=False)
                yield Static('\n[keys]\ncopy = "f8"', markup=False)
            yield Static("Esc  back", markup=False, id="back")

    def _line(self, command: keys.Command) -> ComposeResult:
        key = keys.display(keys.keys_of(command, self._chosen))
        about = Content.assemble(
            f"{command.title}. {command.about}", (f"  {command.id}", "$quiet")
        )
        with Horizontal(classes="line"):
            yield Static(key, markup=False, classes="key")
            yield Static(about, classes="about")
