"""What the parts of the consult screen tell those that they stand in."""

from __future__ import annotations

from textual.message import Message

from medassist.consult.turn import Turn
from medassist.core.values import PaneName


class Sent(Message):
    """The user wants a question answered."""

    def __init__(self, text: str, written: str) -> None:
        super().__init__()
        self.text = text
        self.written = written
        """What stood in the composer, for `Composer.taken`."""


class WriteOn(Message):
    """The user wants the answer of a pane that was cut off to be written on."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__()
        self.pane: PaneName = pane


class Reviewed(Message):
    """An answer has been looked through, or what was said of it holds no longer."""

    def __init__(self, turn: Turn, warnings: int = 0, cites: bool = True) -> None:
        super().__init__()
        self.turn = turn
        self.warnings = warnings
        """How many there are."""
        self.cites = cites
        """It names a source, or nothing is known of it."""


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
