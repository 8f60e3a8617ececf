"""What a model thought before its answer: a line, or unfolded all of it."""

from __future__ import annotations

from textual.widgets import Static

from medassist.consult.answer import Answer
from medassist.core.clean import clean
from medassist.tui.face import face
from medassist.tui.wording import consult as wording


class ThoughtView(Static):
    """Plain text, so that nobody takes it for the answer below it."""

    DEFAULT_CSS = """
    ThoughtView { height: auto; color: $quiet; }
    ThoughtView.-unfolded { border-left: solid $quiet; padding-left: 1; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._drawn = ""

    def draw(self, answer: Answer | None, unfolded: bool) -> None:
        """Show the thought before `answer`, if it has one that is to be seen."""
        has_thought = answer is not None and bool(answer.thought.strip())
        self.display = has_thought
        if answer is None or not has_thought:
            return
        said = face(self).keymap.name(wording.thought(answer, unfolded))
        if unfolded:
            said = f"{said}\n{clean(answer.thought).strip()}"
            if not wording.thinks(answer):
                said = f"{said}\n{face(self).keymap.name(wording.THOUGHT_ENDS)}"
        self.set_class(unfolded, "-unfolded")
        if said != self._drawn:
            self._drawn = said
            self.update(said)
