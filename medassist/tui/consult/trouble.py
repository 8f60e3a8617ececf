"""Why the models cannot answer, and what can be done about it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import consult as wording

WAYS = {"restart": wording.RESTART, "choose": wording.CHOOSE}
"""Ways out that the loader has."""


class Trouble(VerticalScroll, can_focus=False):
    """A sentence and two buttons; seen only while there is something to say."""

    def __init__(self) -> None:
        super().__init__()
        # Kept here: loading can fail, and say so, before this is composed.
        self._sentence = Static("", markup=False, id="sentence")
        self._said = ""

    def compose(self) -> ComposeResult:
        yield self._sentence
        with Buttons(id="ways"):
            for work, label in WAYS.items():
                action = f"screen.do('loader', '{work}')"
                yield button(label, work, action)

    def on_mount(self) -> None:
        self.display = bool(self._said)

    def say(self, sentence: str) -> None:
        """Say `sentence`; nothing hides it all."""
        self._said = sentence
        self.display = bool(sentence)
        self._sentence.update(sentence)
