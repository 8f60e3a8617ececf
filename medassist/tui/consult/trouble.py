"""Why the models cannot answer, and what can be done about it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Static


class Trouble(VerticalScroll, can_focus=False):
    """A sentence and two buttons; seen only while there is something to say."""

    class Restart(Message):
        """The user wants the models started again."""

    class Choose(Message):
        """The user wants other models."""

    def __init__(self) -> None:
        super().__init__()
        # Kept here: loading can fail, and say so, before this is composed.
        self._sentence = Static("", markup=False, id="sentence")
        self._said = ""

    def compose(self) -> ComposeResult:
        yield self._sentence
        with Horizontal(id="ways"):
            yield Button("Start the models again", id="restart", compact=True)
            yield Button("Choose other models", id="choose", compact=True)

    def on_mount(self) -> None:
        self.display = bool(self._said)

    def say(self, sentence: str) -> None:
        """Say `sentence`; nothing hides it all."""
        self._said = sentence
        self.display = bool(sentence)
        self._sentence.update(sentence)

    @on(Button.Pressed, "#restart")
    def _on_restart(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Restart())

    @on(Button.Pressed, "#choose")
    def _on_choose(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Choose())
