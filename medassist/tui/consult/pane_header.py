"""The line above a pane: which of the two it is, and which model is behind it."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from medassist.consult.answer import Source
from medassist.consult.sides import Letter, Sides
from medassist.core.values import PaneName
from medassist.tui.consult import wording
from medassist.tui.line import Line

COLOURS: dict[Letter, str] = {"A": "$pane-base", "B": "$pane-tuned"}
"""Of the sides, whoever stands there: a colour must not tell who it is."""
APART = {"dose": "doses", "number": "numbers", "negation": "negations"}


class PaneHeader(Line):
    """Letter, role, model, quantization; where it is narrow the name gives way.

    While names are hidden only the letter stands there. `≠` and a word say in what
    the two answers contradict each other.
    """

    def __init__(self, pane: PaneName) -> None:
        super().__init__(classes="header")
        self._pane: PaneName = pane
        self._source = Source("")
        self._sides = Sides()
        self._apart: tuple[str, ...] = ()
        self._key = ""

    def name_model(self, source: Source, sides: Sides) -> None:
        """Say which model is behind the pane, if that is to be seen."""
        self._source, self._sides = source, sides
        self._fit()

    def mark(self, apart: tuple[str, ...], key: str) -> None:
        """Say in what the answers contradict each other; nothing: in nothing known.

        Args:
            apart: Doses, numbers, negations.
            key: It shows where.
        """
        self._apart, self._key = apart, key
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        source, sides = self._source, self._sides
        if sides.hidden:
            source = Source("")
        side = sides.letter(self._pane)
        letter = f" {side} "
        role = f" {'name hidden' if sides.hidden else wording.ROLES[self._pane]} "
        adapter = " + adapter" if source.adapter else ""
        quantization = f"  {source.quantization}" if source.quantization else ""
        words = ", ".join(APART[fact] for fact in self._apart)
        apart = f"  ≠ {words} ({self._key})" if words else ""
        others = f"{letter}{role} {adapter}{quantization}"
        width = self.size.width
        if width and width < cell_len(f"{others}{apart}"):
            quantization, others = "", f"{letter}{role} {adapter}"
        room = width - cell_len(f"{others}{apart}")
        name = wording.shortened(source.name, room) if width else source.name
        self.say(
            Content.assemble(
                (letter, f"bold $background on {COLOURS[side]}"),
                (role, COLOURS[side]),
                (f" {name}" if name else "", "bold"),
                adapter,
                (quantization, "$quiet"),
                (apart, "bold $warning"),
            )
        )
