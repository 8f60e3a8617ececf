"""The line above a pane: which of the two it is, and which model is behind it."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from medassist.consult.answer import Source
from medassist.consult.turn import PaneName
from medassist.tui.widgets.consult import wording
from medassist.tui.widgets.line import Line


class PaneHeader(Line):
    """Letter, role, model, quantization; where it is narrow the name gives way."""

    def __init__(self, pane: PaneName) -> None:
        super().__init__(classes="header")
        self._pane: PaneName = pane
        self._source = Source("")

    def name_model(self, source: Source) -> None:
        """Say which model is behind the pane."""
        self._source = source
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        source = self._source
        letter = f" {wording.LETTERS[self._pane]} "
        role = f" {wording.ROLES[self._pane]} "
        adapter = " + adapter" if source.adapter else ""
        quantization = f"  {source.quantization}" if source.quantization else ""
        others = f"{letter}{role} {adapter}{quantization}"
        room = self.size.width - cell_len(others)
        name = wording.shortened(source.name, room) if self.size.width else source.name
        self.say(
            Content.assemble(
                (letter, f"bold $background on $pane-{self._pane}"),
                (role, f"$pane-{self._pane}"),
                (f" {name}" if source.name else "", "bold"),
                adapter,
                (quantization, "$quiet"),
            )
        )
