"""Details of the last answers: files, settings, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from medassist.consult.sides import Sides
from medassist.core.values import PaneName
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.face import face
from medassist.tui.wording import screens as wording
from medassist.tui.wording.details import Fact, as_text
from medassist.tui.wording.pane import ROLES

AGAIN_S = 0.25
Found = Mapping[PaneName, list[Fact]]


class Details(ModalScreen[None]):
    """One column for each answer; values still being computed appear later.

    Args:
        find: What is known by now; the panes and the labels are always the same.
        sides: Which pane is A.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss"),
        *keys.same("details", "dismiss"),
        *keys.same("copy", "copy"),
    ]
    CSS_PATH = "details.tcss"
    AUTO_FOCUS = "#text"

    def __init__(self, find: Callable[[], Found], sides: Sides) -> None:
        super().__init__()
        self._sides = sides
        self._find = find
        self._rows: list[tuple[Horizontal, list[Static]]] = []

    def compose(self) -> ComposeResult:
        found = self._find()
        columns = list(found.values())
        with Vertical(id="dialog"):
            yield Static(wording.details(len(columns)), markup=False, id="title")
            with Horizontal(id="heading"):
                yield Static("", classes="label")
                for pane in found:
                    side = self._sides.letter(pane)
                    yield Static(
                        f"{side}  {ROLES[pane]}",
                        markup=False,
                        classes=f"value side-{side.lower()}",
                    )
            with VerticalScroll(id="text"):
                for facts in zip(*columns, strict=True):
                    row = Horizontal(classes="row")
                    values = [
                        Static("", markup=False, classes="value") for _ in columns
                    ]
                    self._rows.append((row, values))
                    with row:
                        yield Static(facts[0].label, markup=False, classes="label")
                        yield from values
            with Buttons(id="answers"):
                yield button(wording.COPY, "copy", "screen.copy", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss")

    def on_mount(self) -> None:
        self._fill()
        self.set_interval(AGAIN_S, self._fill)

    def _fill(self) -> None:
        columns = list(self._find().values())
        for (row, values), facts in zip(
            self._rows, zip(*columns, strict=True), strict=True
        ):
            row.display = any(fact.text for fact in facts)
            for value, fact in zip(values, facts, strict=True):
                value.set_class(fact.warns, "-warns")
                if str(value.content) != fact.text:
                    value.update(fact.text)

    def action_copy(self) -> None:
        face(self).copy_and_tell(
            as_text(self._find(), self._sides), wording.THE_DETAILS
        )
