"""Dialog for the system prompt and sampling of a pair's panes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static, TextArea

from medassist.core.clean import clean
from medassist.core.validated import validated
from medassist.core.values import LETTERS, PANES, PaneName, Sampling
from medassist.library.registry import NamedPair, PaneSettings
from medassist.tui import keys
from medassist.tui.buttons import Buttons, button
from medassist.tui.wording import dialogs as wording
from medassist.tui.wording.pane import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

DIVIDER = "|"
ZERO_IS_NONE = ("max_tokens", "max_thought_tokens")
"""The limits of which an empty field and none at all are two things."""


class PaneSettingsDialog(ModalScreen[NamedPair | None]):
    """Dismissed with the changed pair, or with `None`.

    Args:
        name: The pair's.
        pair: As it is asked now.
        sampling: The user's own, for what is left empty.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.back("dismiss(None)"),
        *keys.bindings("asked"),
    ]
    CSS_PATH = "pane_settings.tcss"
    AUTO_FOCUS = "#base-system"

    def __init__(self, name: str, pair: NamedPair, sampling: Sampling) -> None:
        super().__init__()
        self._title = wording.HOW_ASKED.format(pair=name)
        self._pair = pair
        self._sampling = sampling

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(self._title, markup=False, id="title")
            yield Static("", markup=False, id="problem")
            with VerticalScroll(id="form", can_focus=False):
                yield Static(
                    wording.EMPTY_FIELD,
                    classes="hint",
                    markup=False,
                )
                for pane in PANES:
                    yield from self._fields(pane)
            with Buttons(id="answers"):
                yield button(wording.KEEP, "keep", primary=True)
                yield button(wording.BACK, "back", "screen.dismiss(None)")

    def on_mount(self) -> None:
        # The focus has scrolled to its field; what stands above explains the form.
        form = self.query_one("#form")
        self.call_after_refresh(form.scroll_home, animate=False)

    def _fields(self, pane: PaneName) -> ComposeResult:
        asked = self._pair.asked(pane)
        values = _shown(asked.sampling)
        hints = _shown(self._sampling)
        head = f"{LETTERS[pane]}  {ROLES[pane]}"
        yield Static(head, markup=False, classes="pane")
        yield Static(wording.SYSTEM_PROMPT, classes="label")
        yield TextArea(
            asked.system, id=f"{pane}-system", tab_behavior="focus", compact=True
        )
        names = list(wording.FIELDS)
        for group in (names[:3], names[3:6], names[6:]):
            with Horizontal(classes="row"):
                for name in group:
                    with Vertical(classes="field"):
                        yield Static(
                            wording.FIELDS[name], markup=False, classes="label"
                        )
                        yield Input(
                            values.get(name, ""),
                            id=f"{pane}-{name}",
                            placeholder=hints[name],
                            compact=True,
                        )
        yield Static(
            wording.STOPS.format(divider=DIVIDER),
            markup=False,
            classes="label",
        )
        yield Input(
            values.get("stop", ""),
            id=f"{pane}-stop",
            placeholder=hints["stop"],
            compact=True,
        )

    @on(Button.Pressed, "#keep")
    def action_keep(self) -> None:
        panes: dict[PaneName, PaneSettings] = {}
        for pane in PANES:
            try:
                panes[pane] = self._read(pane)
            except ValidationError as error:
                problem = error.errors(include_url=False)[0]
                field = wording.FIELDS.get(
                    str(problem["loc"][0]), str(problem["loc"][0])
                )
                self.query_one("#problem", Static).update(
                    clean(f"{LETTERS[pane]}, {field}: {problem['msg']}.")
                )
                return
        self.dismiss(self._pair.model_copy(update={"panes": panes}))

    def _read(self, pane: PaneName) -> PaneSettings:
        said: dict[str, object] = {}
        for name in wording.FIELDS:
            text = self.query_one(f"#{pane}-{name}", Input).value.strip()
            if text:
                said[name] = text
        for name in ZERO_IS_NONE:
            if said.get(name) == "0":
                said[name] = None
        stops = self.query_one(f"#{pane}-stop", Input).value
        found = tuple(stop for stop in stops.split(DIVIDER) if stop)
        if found:
            said["stop"] = found
        sampling = None
        if said:
            sampling = validated(Sampling, {**asdict(self._sampling), **said})
        system = self.query_one(f"#{pane}-system", TextArea).text
        return PaneSettings(system=clean(system).strip(), sampling=sampling)


def _shown(sampling: Sampling | None) -> Mapping[str, str]:
    if sampling is None:
        return {}
    shown = {name: str(getattr(sampling, name)) for name in wording.FIELDS}
    for name in ZERO_IS_NONE:
        if getattr(sampling, name) is None:
            shown[name] = "0"
    return {**shown, "stop": DIVIDER.join(sampling.stop)}
