"""Locking: by key, or when nobody has touched the keyboard or the mouse for a while."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from textual.screen import Screen

from medassist.tui import keys

if TYPE_CHECKING:
    from medassist.tui.app import ConsultApp
    from medassist.tui.screens.lock import LockScreen

LOOK_S = 5.0
"""Between two looks at how long nobody has done anything."""
ALLOWED = frozenset({"quit"})
"""What of the program can be done while it is locked."""


def clock() -> float:
    """Seconds, those in which the computer sleeps too where the system counts them."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


class Covering(Screen[None]):
    """A screen that nothing may take away but the lock itself."""


class Lock:
    """Blanks the screen and has the records forget their key.

    Answers that are being written go on in memory; the records take what came of them
    when they are unlocked again.
    """

    def __init__(self, app: ConsultApp) -> None:
        self._app = app
        self._screen: LockScreen | None = None
        self._forgetting: asyncio.Task[bool] | None = None
        self._touched = clock()
        self.lifted = asyncio.Event()
        """Set while the program is not locked."""
        self.lifted.set()

    @property
    def on(self) -> bool:
        """The program is locked."""
        return self._screen is not None

    # Idle time

    def touch(self) -> None:
        """The user is there."""
        self._touched = clock()

    def watch(self) -> None:
        """Look from now on whether the user has gone."""
        self._app.set_interval(LOOK_S, self.look)

    def look(self) -> None:
        """Lock, if nobody has done anything for as long as the settings say."""
        settings = self._app.settings_now
        minutes = settings.lock_minutes if settings else 0
        if minutes and not self.on and clock() - self._touched >= minutes * 60:
            self.lock()

    # Locking

    def lock(self) -> None:
        """Blank the screen at once, and forget the key as soon as all is saved."""
        if self.on:
            return
        from medassist.tui.screens.lock import LockScreen

        app = self._app
        self.lifted.clear()
        guarded = app.consult.session.record.store is not None
        quit_key = keys.display(keys.keys_of(keys.command("quit"), app.chosen_keys))
        self._screen = LockScreen(
            guarded,
            not app.consult.consultation.over,
            self._unlock if guarded else self._go_on,
            f"{quit_key} quits.",
        )
        app.clear_notifications()
        app.push_screen(self._screen)
        app.forget_copied()
        if guarded:
            self._forgetting = asyncio.create_task(app.consult.session.record.lock())

    async def _go_on(self, _typed: str) -> str:
        self._lift()
        return ""

    async def _unlock(self, typed: str) -> str:
        from medassist.records.errors import RecordsError

        if self._forgetting is not None:
            await self._forgetting
        try:
            notice = await self._app.consult.session.record.unlock(typed)
        except RecordsError as error:
            return str(error)
        self._lift()
        if notice:
            self._app.notify(notice, severity="warning", timeout=15, markup=False)
        return ""

    def _lift(self) -> None:
        screen, self._screen = self._screen, None
        self._forgetting = None
        self.touch()
        if screen is not None:
            if self._app.screen is not screen:
                screen.pop_until_active()  # whether to quit was asked on top of it
            screen.dismiss()
        self.lifted.set()
