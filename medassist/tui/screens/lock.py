"""The locked screen: nothing of the consultation can be read on it or through it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from medassist.tui import keys
from medassist.tui.dialogs.secret import Secret

GUARDED = "The key of the records is forgotten. Type the passphrase and press Enter."
UNGUARDED = (
    "Press Enter to go on. No passphrase guards this screen: the records are not open, "
    "so anybody here can press Enter."
)
STILL_WRITTEN = (
    "Answers are still being written. They are kept in memory, and saved when you "
    "unlock."
)
WORKING = "One moment: the passphrase is made into a key."


class LockScreen(Screen[None]):
    """Stands on top of everything until it is unlocked.

    Args:
        guarded: a passphrase is wanted; else Enter is enough.
        writing: answers are still being written.
        unlock: opens the records with what was typed; returns what went wrong, in a
            sentence, or nothing once the screen is to go.
        leave: what the user is told of the way out.
    """

    BINDINGS = keys.bindings("lock")
    CSS_PATH = "lock.tcss"

    def __init__(
        self,
        guarded: bool,
        writing: bool,
        unlock: Callable[[str], Awaitable[str]],
        leave: str,
    ) -> None:
        super().__init__()
        self._guarded = guarded
        self._writing = writing
        self._unlock = unlock
        self._leave = leave
        self._busy = False
        self._problem = Static("", markup=False, id="problem")
        self._problem.display = False

    def compose(self) -> ComposeResult:
        with Vertical(id="lock"):
            yield Static("Locked", markup=False, id="title")
            yield Static(GUARDED if self._guarded else UNGUARDED, markup=False)
            if self._guarded:
                yield Secret(id="passphrase", compact=True)
            yield self._problem
            if self._writing and self._guarded:
                yield Static(STILL_WRITTEN, markup=False, classes="quiet")
            yield Static(self._leave, markup=False, classes="quiet")

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
            self._say(WORKING if self._guarded else "", fault=False)
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
