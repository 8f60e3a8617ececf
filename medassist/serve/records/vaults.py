"""The records of each user: begun, unlocked, locked, and their idle time.

Each user's are a folder of the app's own store, sealed by that user's passphrase, which
this server never keeps. A token alone opens nothing, also while they are unlocked: who
has typed the passphrase is given an opening, random and in memory alone, which goes
with each request. The key is forgotten with the last opening: when it is given back,
when it has not been used for ten minutes, and when the server ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from medassist.core.clock import clock
from medassist.core.files import make_folder
from medassist.core.paths import data_place
from medassist.records.errors import Locked, RecordsError, WrongPassphrase
from medassist.records.records_folder import GONE, destroy, destroy_rest, put_aside
from medassist.records.store import Store
from medassist.records.vault import Vault
from medassist.serve.errors import Refusal, ServeError, place_of
from medassist.serve.limits import IDLE_MINUTES
from medassist.serve.log import tell
from medassist.serve.users import FOLDER

IDLE_S: Final = 60 * IDLE_MINUTES
"""Seconds after which an opening that was not used is none any more."""
LOOK_S: Final = 5.0
"""Between two looks at what is idle."""
GUESSES: Final = 5
"""Wrong passphrases in a row, after which the next one has to wait."""
GUESS_AGAIN_S: Final = 60.0
AT_ONCE: Final = 2
"""Passphrases that are made into keys at once; each takes 64 MiB."""
LIBRARIES: Final = ("sqlcipher3", "argon2", "nacl")
RecordsState = Literal["none", "locked", "open"]


def default_root() -> Path:
    """The folder that holds a folder for each user's records."""
    return data_place() / FOLDER / "records"


def problem_of(root: Path) -> str:
    """Why records cannot be kept in `root`, in a sentence; empty: they can."""
    if sys.platform == "win32":
        return "Records of users cannot be kept on Windows yet."
    for needed in LIBRARIES:
        if find_spec(needed) is None:
            return (
                f"Records need {needed}, which the plain install leaves out. Install "
                "it with: pip install 'medassist[records]' (in a clone: make dev)"
            )
    there = next(place for place in (root, *root.parents) if place.exists())
    if not there.is_dir():
        return f"{there}: it is no folder, so no records can be kept there."
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there}: it cannot be written, so no records can be kept there."
    if there == root and root.stat().st_mode & 0o077:
        return f"{root}: others may look into it. `chmod 700` keeps them out."
    return ""


def prepare(root: Path) -> None:
    """Make the folder of the records.

    Raises:
        ServeError: no records can be kept there.
    """
    if problem := problem_of(root):
        raise ServeError(problem)
    try:
        make_folder(root)
    except OSError as error:
        raise ServeError(f"{root}: it cannot be made ({error.strerror}).") from None


@dataclass(eq=False)
class _UserRecords:
    """State of one user's records."""

    vault: Vault
    openings: dict[str, float] = field(default_factory=dict[str, float])
    """The hash of each opening, and when it was used last."""
    wrong: int = 0
    """Wrong passphrases since the last right one."""
    wrong_at: float = 0.0
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by what opens, closes or writes them."""


class UserVaults:
    """Opens and closes the records of users.

    Args:
        known: whether somebody of that name may still use the server.
        root: the folder of all users' records.
        told: is told who has done what with records, for the audit log.
        now: seconds of a clock that runs while the computer sleeps.
    """

    def __init__(
        self,
        known: Callable[[str], bool],
        root: Path,
        told: Callable[[str, str], None],
        now: Callable[[], float] = clock,
    ) -> None:
        self.now = now
        self._known = known
        self._told = told
        self._root = root
        self._of: dict[str, _UserRecords] = {}
        self._deriving = asyncio.Semaphore(AT_ONCE)

    # What there is

    def state(self, user: str, opening: str) -> RecordsState:
        """State of the records of `user` for who holds `opening`; that uses it."""
        own = self._own(user)
        if self._uses(own, opening):
            return "open"
        return "locked" if own.vault.exists else "none"

    def store(self, user: str, opening: str, *, uses: bool = True) -> Store:
        """The open records of `user`.

        Args:
            user: whose they are.
            opening: that was given for the passphrase.
            uses: somebody does something, so that the idle time begins anew.

        Raises:
            Locked: they are not open for this opening.
        """
        own = self._own(user)
        if not self._uses(own, opening, touches=uses):
            raise Locked("Your records are locked. Unlock them with your passphrase.")
        return own.vault.open_store

    @asynccontextmanager
    async def writing(
        self, user: str, opening: str, *, uses: bool = False
    ) -> AsyncGenerator[Vault]:
        """The open records, which nobody else opens, closes or writes meanwhile.

        Args:
            user: whose they are.
            opening: that was given for the passphrase.
            uses: as for `store`; an answer that is over is kept without anybody there.

        Raises:
            Locked: they are not open for this opening.
        """
        own = self._own(user)
        async with own.alone:
            self.store(user, opening, uses=uses)
            yield own.vault

    # Opening

    async def create(self, user: str, passphrase: str) -> str:
        """Begin the records of `user`; an opening of them.

        Raises:
            RecordsError: there are some, or they cannot be made.
        """
        own = self._own(user)
        async with own.alone, self._deriving:
            await own.vault.create(passphrase)
            return self._new_opening(own, user, "begun")

    async def unlock(self, user: str, passphrase: str) -> str:
        """An opening of the records of `user`.

        Raises:
            WrongPassphrase: it is not theirs.
            Refusal: too many were wrong a moment ago.
            RecordsError: they cannot be opened.
        """
        own = self._own(user)
        async with own.alone:
            await self._guess(own, user, lambda: self._open(own.vault, passphrase))
            return self._new_opening(own, user, "unlocked")

    async def change(self, user: str, old: str, new: str) -> None:
        """Seal the records of `user` with another passphrase.

        Raises:
            WrongPassphrase: `old` is not theirs.
            Refusal: too many were wrong a moment ago.
            RecordsError: `new` is too short, or it cannot be written.
        """
        own = self._own(user)
        async with own.alone:
            await self._guess(own, user, lambda: own.vault.change(old, new))
            self._told(user, "passphrase_changed")

    async def begin_anew(self, user: str, passphrase: str) -> str:
        """Put records that nobody can open aside, and begin others; an opening.

        Raises:
            RecordsError: another program has them open, or the disk fails.
        """
        own = self._own(user)
        async with own.alone:
            await self._close(own)
            if own.vault.exists:
                aside = await asyncio.to_thread(put_aside, own.vault.folder)
                tell(f"Records were begun anew; those of before stand in {aside}.")
            async with self._deriving:
                await own.vault.create(passphrase)
            own.wrong = 0
            return self._new_opening(own, user, "begun_anew")

    # Closing

    async def lock(self, user: str, opening: str = "") -> None:
        """Take an opening back, or all of them; with the last one the key goes."""
        own = self._own(user)
        async with own.alone:
            if opening:
                own.openings.pop(_digest(opening), None)
            else:
                own.openings.clear()
            await self._close_unused(own, user)

    async def destroy(self, user: str, opening: str) -> None:
        """Delete all the records of `user`, for good.

        Raises:
            Locked: they are not open for this opening.
            RecordsError: they cannot be deleted.
        """
        own = self._own(user)
        async with own.alone:
            self.store(user, opening)
            await self._close(own)
            await asyncio.to_thread(destroy, own.vault.folder)
            self._told(user, "deleted")

    async def watch(self) -> None:
        """Forget keys that nobody uses, for as long as the server runs."""
        await asyncio.to_thread(self._end_deletions)
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Forget the keys of who was idle, and of who may not use the server now."""
        done = await asyncio.gather(
            *(self._look_at(user, own) for user, own in self._of.items()),
            return_exceptions=True,  # of one user: the others' keys are looked at too
        )
        for error in done:
            if isinstance(error, Exception):
                tell(f"{type(error).__name__} in {place_of(error)}")

    async def _look_at(self, user: str, own: _UserRecords) -> None:
        async with own.alone:
            if not self._known(user):
                own.openings.clear()
            await self._close_unused(own, user)

    async def close(self) -> None:
        """Write what is queued, and forget all keys."""
        for own in self._of.values():
            async with own.alone:
                await self._close(own)

    # How

    def _own(self, user: str) -> _UserRecords:
        """Records of `user`, whose name is one that a folder can have."""
        if user not in self._of:
            self._of[user] = _UserRecords(Vault(self._root / user))
        return self._of[user]

    def _new_opening(self, own: _UserRecords, user: str, how: str) -> str:
        self._told(user, how)
        opening = secrets.token_urlsafe(32)
        own.openings[_digest(opening)] = self.now()
        return opening

    def _uses(self, own: _UserRecords, opening: str, *, touches: bool = True) -> bool:
        """Whether `opening` opens the records; idle ones do not, looked at or not."""
        digest = _digest(opening)
        used = own.openings.get(digest)
        if used is None or self.now() - used >= IDLE_S or own.vault.store is None:
            return False
        if touches:
            own.openings[digest] = self.now()
        return True

    async def _guess(
        self, own: _UserRecords, user: str, attempt: Callable[[], Awaitable[None]]
    ) -> None:
        """Try a passphrase, one at a time for each user."""
        if not own.vault.exists:
            raise Refusal(409, "no_records", "You have no records yet. Begin them.")
        wait = own.wrong_at + GUESS_AGAIN_S - self.now()
        if own.wrong >= GUESSES and wait > 0:
            raise Refusal(
                429,
                "rate_limit_exceeded",
                "Too many passphrases were wrong.",
                retry_after_s=wait,
            )
        try:
            async with self._deriving:
                await attempt()
        except WrongPassphrase:
            own.wrong, own.wrong_at = own.wrong + 1, self.now()
            self._told(user, "wrong_passphrase")
            raise
        own.wrong = 0

    @staticmethod
    async def _open(vault: Vault, passphrase: str) -> None:
        if vault.store is None:
            await vault.unlock(passphrase)
        elif not await vault.proves(passphrase):
            raise WrongPassphrase

    async def _close_unused(self, own: _UserRecords, user: str) -> None:
        since = self.now() - IDLE_S
        own.openings = {key: at for key, at in own.openings.items() if at > since}
        if not own.openings and own.vault.store is not None:
            await self._close(own)
            self._told(user, "locked")

    async def _close(self, own: _UserRecords) -> None:
        own.openings.clear()
        await own.vault.lock()

    def _end_deletions(self) -> None:
        """Delete what a server that was killed in the midst of it has left."""
        if not self._root.is_dir():
            return
        for gone in self._root.glob(f"*{GONE}"):
            try:
                destroy_rest(gone)
            except RecordsError as error:
                tell(str(error))


def _digest(opening: str) -> str:
    return hashlib.sha256(opening.encode("utf-8", "replace")).hexdigest()
