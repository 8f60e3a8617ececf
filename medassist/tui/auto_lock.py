"""Locks the screen by key, or after a time without keyboard or mouse input."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from medassist.core.clock import clock

if TYPE_CHECKING:
    from medassist.session.session import Session
    from medassist.tui.face import Face
    from medassist.tui.screens.lock import LockScreen

LOOK_S = 5.0
"""Between two looks at how long nobody has done anything."""
ALLOWED = frozenset({"quit"})
"""Commands that can be run while it is locked."""


class AutoLock:
    """Blanks the screen and has the records forget their key.

    Answers that are being written go on in memory; the records take what came of them
    when they are unlocked again.
    """

    def __init__(self, face: Face, session: Session) -> None:
        self._face = face
        self._session = session
        self._screen: LockScreen | None = None
        self._forgetting: asyncio.Task[bool] | None = None
        self.touched = clock()
        """Time at which the user last did something."""
        self.lifted = asyncio.Event()
        """Set while the program is not locked."""
        self.lifted.set()

    @property
    def on(self) -> bool:
        """Whether the app is locked."""
        return self._screen is not None

    def covers(self, screen: object) -> bool:
        """Whether `screen` is the lock screen, which only unlocking removes."""
        return self.on and screen is self._screen

    # Idle time

    def look(self) -> None:
        """Lock, if the user has been idle for as long as the settings say."""
        settings = self._face.settings_now
        minutes = settings.lock_minutes if settings else 0
        if minutes and not self.on and clock() - self.touched >= minutes * 60:
            self.lock()

    # Locking

    def lock(self) -> None:
        """Blank the screen at once, and forget the key as soon as all is saved."""
        if self.on:
            return
        from medassist.tui.screens.lock import LockScreen

        face, session = self._face, self._session
        self.lifted.clear()
        guarded = session.record.store is not None
        self._screen = LockScreen(
            guarded,
            not session.consultation.over,
            self._unlock if guarded else self._go_on,
            face.keymap,
        )
        face.clear_notifications()
        face.push_screen(self._screen)
        face.forget_copied()
        if guarded:
            self._forgetting = asyncio.create_task(session.record.lock())

    async def _go_on(self, _typed: str) -> str:
        self._lift()
        return ""

    async def _unlock(self, typed: str) -> str:
        from medassist.records.errors import RecordsError

        if self._forgetting is not None:
            await self._forgetting
        try:
            notice = await self._session.record.unlock(typed)
        except RecordsError as error:
            return str(error)
        self._lift()
        if notice:
            self._face.say(notice, warning=True, seconds=15)
        return ""

    def _lift(self) -> None:
        screen, self._screen = self._screen, None
        self._forgetting = None
        self.touched = clock()
        if screen is not None:
            if not screen.is_active:
                screen.pop_until_active()  # whether to quit was asked on top of it
            screen.dismiss()
        self.lifted.set()
