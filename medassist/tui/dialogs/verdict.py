"""Panel for the verdict on the last question, with optional reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from medassist.consult.verdict import CHOICES, REASONS, Choice, Reason
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.face import face
from medassist.tui.wording import dialogs as wording

_FIRST_REASON = len(CHOICES) + 1


@dataclass(frozen=True)
class Given:
    """The verdict that the user chose."""

    choice: Choice
    reasons: tuple[Reason, ...]


class VerdictPanel(ModalScreen[Given | None]):
    """Stands at the bottom, so that the answers above it can be read.

    Dismissed with the verdict, or with `None`. Until Enter it can be changed; after
    it, where names were hidden, they are shown, and it stays.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(None)"),
        *keys.bindings("verdict"),
        *keys.same("verdict", "dismiss(None)"),
    ]
    CSS_PATH = "verdict.tcss"
    AUTO_FOCUS = "#give"

    def __init__(self, blind: bool) -> None:
        super().__init__()
        self._blind = blind
        self._choice: Choice | None = None
        self._reasons: frozenset[Reason] = frozenset()

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(wording.WHICH_IS_BETTER, markup=False, id="title")
            with Buttons(classes="line"):
                for number in range(1, _FIRST_REASON):
                    yield button("", f"n{number}")
            yield Static(wording.WHY, markup=False, classes="label")
            with Buttons(classes="line"):
                for number in range(_FIRST_REASON, _FIRST_REASON + len(REASONS)):
                    yield button("", f"n{number}")
            yield Static("", markup=False, id="hint")
            with Buttons(id="answers"):
                yield button(wording.GIVE_IT, "give", primary=True)
                yield button(wording.BACK, "back")

    def on_mount(self) -> None:
        # While a button looks pressed it takes no press, and Enter too soon after one
        # that was refused would be lost.
        self.query_one("#give", Button).active_effect_duration = 0
        self._draw()

    def _draw(self) -> None:
        for number, choice in enumerate(CHOICES, start=1):
            text, chosen = wording.CHOICES[choice], choice == self._choice
            self._mark(number, text, chosen, "●", "○")
        for number, reason in enumerate(REASONS, start=_FIRST_REASON):
            self._mark(number, reason, reason in self._reasons, "☒", "☐")
        self._say(self._hint)

    def _mark(self, number: int, text: str, chosen: bool, on: str, off: str) -> None:
        button = self.query_one(f"#n{number}", Button)
        key = face(self).keymap[f"verdict_{number}"]
        button.label = f"{key} {on if chosen else off} {text}"
        button.set_class(chosen, "-chosen")
        button.refresh(layout=True)

    @property
    def _hint(self) -> str:
        if self._choice is None:
            return wording.CHOOSE
        if self._blind:
            return wording.GIVE_BLIND
        return wording.GIVE

    def _say(self, hint: str) -> None:
        self.query_one("#hint", Static).update(face(self).keymap.name(hint))

    def action_choose(self, number: int) -> None:
        if number < _FIRST_REASON:
            self._choice = CHOICES[number - 1]
        else:
            reason = REASONS[number - _FIRST_REASON]
            self._reasons = self._reasons.symmetric_difference({reason})
        self._draw()

    @on(Button.Pressed)
    def _on_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "give":
                self._give()
            case "back":
                self.dismiss(None)
            case str(name):
                self.action_choose(int(name.removeprefix("n")))
            case None:
                pass

    def _give(self) -> None:
        if self._choice is None:
            self._say(wording.CHOOSE_FIRST)
            return
        chosen: list[Reason] = [r for r in REASONS if self._reasons & {r}]
        self.dismiss(Given(self._choice, tuple(chosen)))
