"""Lock screen: hides the consultation until it is unlocked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from medassist.tui import keys
from medassist.tui.dialogs.secret import Secret
from medassist.tui.wording import screens as wording
from medassist.tui.wording.dialogs import MAKING_KEY


class LockScreen(Screen[None]):
    """Stands on top of everything until it is unlocked.

    Args:
        guarded: a passphrase is wanted; else Enter is enough.
        writing: answers are still being written.
        unlock: opens the records with what was typed; returns what went wrong, in a
            sentence, or nothing once the screen is to go.
        keymap: the keys, of which the user is told those that hold here.
    """

    BINDINGS = keys.bindings("lock")
    CSS_PATH = "lock.tcss"

    def __init__(
        self,
        guarded: bool,
        writing: bool,
        unlock: Callable[[str], Awaitable[str]],
        keymap: keys.Keymap,
    ) -> None:
        super().__init__()
        self._guarded = guarded
        self._writing = writing
        self._unlock = unlock
        self._keymap = keymap
        self._busy = False
        self._problem = Static("", markup=False, id="problem")
        self._problem.display = False

    def compose(self) -> ComposeResult:
        with Vertical(id="lock"):
            yield Static(wording.IS_LOCKED, markup=False, id="title")
            said = wording.GUARDED if self._guarded else wording.UNGUARDED
            yield Static(self._keymap.name(said), markup=False)
            if self._guarded:
                yield Secret(id="passphrase", compact=True)
            yield self._problem
            if self._writing and self._guarded:
                yield Static(wording.STILL_WRITTEN, markup=False, classes="quiet")
            yield Static(
                self._keymap.name(wording.QUITS), markup=False, classes="quiet"
            )

    @on(Input.Submitted)
    def _on_submitted(self, event: Input.Submitted) -> None:
        typed = event.value
        if typed:
            event.input.value = ""
            self._go(typed)

    def action_go_on(self) -> None:
        if not self._guarded:
            self._go("")

    def _go(self, typed: str) -> None:
        if not self._busy:
            self._busy = True
            self._say(MAKING_KEY if self._guarded else "", fault=False)
            self.run_worker(self._try(typed), group="unlock")

    async def _try(self, typed: str) -> None:
        problem = await self._unlock(typed)
        self._busy = False
        if problem:
            self._say(problem)

    def _say(self, sentence: str, fault: bool = True) -> None:
        self._problem.update(sentence)
        self._problem.display = bool(sentence)
        self._problem.set_class(fault, "-fault")
