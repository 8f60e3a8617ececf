"""What the parts of the consult screen tell those that they stand in."""

from __future__ import annotations

from textual.message import Message

from medassist.core.values import PaneName


class Sent(Message):
    """The user wants a question answered."""

    def __init__(self, text: str, written: str) -> None:
        super().__init__()
        self.text = text
        self.written = written
        """What stood in the composer, for `Composer.taken`."""


class Paged(Message):
    """A page key: the composer is too short to need it, so the panes scroll."""

    def __init__(self, down: bool) -> None:
        super().__init__()
        self.down = down


class Scrolled(Message):
    """The user, or a growing answer, has moved what is to be seen of a pane."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__()
        self.pane: PaneName = pane
