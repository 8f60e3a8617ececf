"""Dialog with the models that one pane can have in place of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from medassist.core.clean import clean, clean_line
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import dialogs as wording

if TYPE_CHECKING:
    from medassist.session.pane_models import PaneModel, PaneModels

NAME = 24
"""Columns of a name in the list; what is loaded stands in full below it."""


class PaneModelDialog(ModalScreen["PaneModel | None"]):
    """Dismissed with the model that is chosen, or with `None`.

    Args:
        letter: Of the pane.
        kept: By the letter of the other pane, the name of its model.
        found: What can be chosen.
        now: Bytes of memory that the models take at present.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(None)", first=True),
        *keys.same("pane_model", "dismiss(None)"),
    ]
    CSS_PATH = "pane_model.tcss"
    AUTO_FOCUS = "#list"

    def __init__(
        self, letter: str, kept: Mapping[str, str], found: PaneModels, now: int | None
    ) -> None:
        super().__init__()
        self._letter = letter
        self._kept = kept
        self._found = found
        self._now = now
        self._confirmed: PaneModel | None = None

    def compose(self) -> ComposeResult:
        other, name = next(iter(self._kept.items()), ("", ""))
        with Vertical(id="dialog"):
            yield Static(wording.other_model(self._letter), markup=False, id="title")
            yield Static(wording.keeps(other, name), markup=False, id="keeps")
            yield OptionList(
                *(Option(_line(model)) for model in self._found.models),
                id="list",
                markup=False,
                compact=True,
            )
            yield Static("", markup=False, id="about")
            yield Static("", markup=False, id="problem")
            with Buttons(id="answers"):
                yield button(wording.LOAD, "load", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss(None)")

    def on_mount(self) -> None:
        self.query_one("#list", OptionList).highlighted = 0

    @property
    def _chosen(self) -> PaneModel | None:
        at = self.query_one("#list", OptionList).highlighted
        return self._found.models[at] if at is not None else None

    @on(OptionList.OptionHighlighted)
    def _describe(self) -> None:
        self._confirmed = None
        if (model := self._chosen) is not None:
            said = wording.loads(model, self._now, self._found.available)
            self.query_one("#about", Static).update(clean(said))
            self._say("")

    @on(OptionList.OptionSelected)
    @on(Button.Pressed, "#load")
    def _on_chosen(self) -> None:
        model = self._chosen
        if model is None or model.problem:
            return  # why not stands below the list
        if model.fits == "does not fit" and self._confirmed is not model:
            self._confirmed = model
            self._say(wording.too_large(keys.display("enter")))
            return
        self.dismiss(model)

    def _say(self, problem: str) -> None:
        said = self.query_one("#problem", Static)
        said.display = bool(problem)
        said.update(problem)


def _line(model: PaneModel) -> str:
    name = clean_line(model.name)
    name = name if len(name) <= NAME else f"{name[: NAME - 1]}…"
    return f"{name:<{NAME}}  {wording.pane_model(model)}"
