"""Saving of a session's consultation in the records, and its status.

The `Record` is there whether or not it is ever saved: verdicts, red flags and sides
are put into it, and `feed` is called whenever something may have changed. While the
records are open, that saves it; what counts as saved is on the disk. Everything of
`medassist.records` is imported when it is first used, after the first frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from medassist.consult.consultation import Consultation

if TYPE_CHECKING:
    from medassist.consult.turn import Turn
    from medassist.records.record import Record, WarningGiven
    from medassist.records.recorder import Recorder
    from medassist.records.store import Store
    from medassist.records.stored_consultation import Saved
    from medassist.records.vault import Vault
    from medassist.safety.red_flags.conversation import Raised

PAUSE_S = 0.25
"""Between two savings of an answer that is being written."""
SHARE = 10
"""Saving takes at most about a tenth of the time: the models need the processor."""
AGAIN_S = 5.0
"""Between two attempts to save what could not be saved."""
CLOSE_S = 3.0
"""The longest that leaving waits for a disk."""


class Holder(Protocol):
    """The session whose consultation is kept."""

    consultation: Consultation

    def record_changed(self) -> None: ...


class ConsultationRecord:
    """Keeps one session's consultation, as far as the user wants that.

    Args:
        holder: has the consultation; another one in its place is another record.
        say: tells the user a sentence.
        vault: where it is kept; by default in the user's own records.
    """

    def __init__(
        self, holder: Holder, say: Callable[[str], None], vault: Vault | None = None
    ) -> None:
        self._holder = holder
        self._say = say
        self._vault = vault
        self._record: Record | None = None
        self._recorder: Recorder | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._told = ""
        self._wanted = False
        """The user has agreed to have this saved, identifiers and all."""
        self._more = False
        """Something may have changed since the saving that runs began."""
        self.locked = False
        """The records were open and the screen is locked now."""
        self._whole_when_locked = False

    # How it stands

    @property
    def content(self) -> Record:
        """The consultation on the screen, with what is kept beside it."""
        consultation = self._holder.consultation
        if self._record is None or self._record.consultation is not consultation:
            from medassist.records.record import Record

            self._record, self._recorder = Record(consultation), None
        return self._record

    @property
    def store(self) -> Store | None:
        """The open records."""
        return self._vault.store if self._vault else None

    @property
    def is_open(self) -> bool:
        """Whether what comes now is saved, or at least tried to be."""
        store = self.store
        return self._wanted and store is not None and not store.read_only

    @property
    def keeps(self) -> bool:
        """Whether everything written so far is saved."""
        if self.locked:
            return self._whole_when_locked
        return self.is_open and not self.trouble

    @property
    def trouble(self) -> str:
        """Why not everything is saved, in a sentence; empty if it is."""
        return self._recorder.trouble if self._recorder else ""

    @property
    def id(self) -> int | None:
        """The consultation's number in the records; `None` if it is not saved."""
        record = self._record
        if record is None or record.consultation is not self._holder.consultation:
            return None
        return self._recorder.id if self._recorder else None

    @property
    def word(self) -> str:
        """Status for the line at the top."""
        if self.locked:
            return "locked"
        if not self.is_open:
            return "not saved"
        if self.trouble:
            return "NOT SAVED"
        return "encrypted, saving" if self._unsaved else "encrypted"

    @property
    def _unsaved(self) -> bool:
        return self._feeding is not None and not self._feeding.done()

    # Saving

    def feed(self) -> None:
        """Save changes soon, in the background, until there are none."""
        if not self.is_open or self._record_is_empty:
            return
        self._more = True
        if not self._unsaved:
            self._feeding = asyncio.create_task(self._feed())

    @property
    def _record_is_empty(self) -> bool:
        return self.id is None and not self._holder.consultation.turns

    async def save(self) -> bool:
        """Save everything now; whether all of it is on the disk."""
        if not self.is_open:
            return False
        saved = await self._the_recorder.save(at_once=True)
        self._tell()
        return saved

    async def _feed(self) -> None:
        loop = asyncio.get_running_loop()
        while self.is_open:
            began = loop.time()
            over, self._more = self._holder.consultation.over, False
            saved = await self._the_recorder.save()
            self._tell()
            if saved and over:
                if not self._more:
                    break
                continue  # with what has come meanwhile
            cost = loop.time() - began
            pause = max(PAUSE_S, SHARE * cost) if saved else AGAIN_S
            await asyncio.sleep(min(pause, AGAIN_S))
        self._feeding = None
        self._holder.record_changed()

    @property
    def _the_recorder(self) -> Recorder:
        record = self.content
        if self._recorder is None:
            from medassist.records.recorder import Recorder

            assert self._vault is not None
            self._recorder = Recorder(self._vault, record)
        return self._recorder

    def _tell(self) -> None:
        """A trouble is told once, and so is that it is over."""
        trouble = self.trouble
        if trouble and trouble != self._told and not self.locked:
            self._say(trouble)
        elif self._told and not trouble:
            self._say("All of the consultation is saved again.")
        if trouble != self._told:
            self._told = trouble
            self._holder.record_changed()

    # Opening and locking

    async def vault(self) -> Vault:
        """The records' folder and key, open or not."""
        if self._vault is None:
            self._vault = await asyncio.to_thread(_new_vault)
        return self._vault

    async def unlock(self, passphrase: str) -> str:
        """Open the records again after `lock`.

        Returns:
            What the user has to know: that they can only be read, or that they cannot
            be opened although the passphrase is right. May be empty.

        Raises:
            WrongPassphrase: it is not the passphrase.
            RecordsError: whether it is cannot be said.
        """
        from medassist.records.errors import InUse, RecordsError, WrongPassphrase

        vault = await self.vault()
        notice = ""
        try:
            await vault.unlock(passphrase)
        except WrongPassphrase:
            raise
        except InUse as error:
            notice = str(error)
            await vault.unlock(passphrase, read_only=True)
        except RecordsError as error:
            # The files are gone or damaged. The consultation is still in memory, and
            # whoever knows the passphrase gets it back.
            if not await vault.proves(passphrase):
                raise
            notice = str(error)
        self.opened()
        return notice

    def opened(self) -> None:
        """Save what is there already, after the records were opened."""
        self.locked, self._wanted = False, True
        self._told = ""
        self.feed()
        self._holder.record_changed()

    async def lock(self) -> bool:
        """Save everything and forget the key; whether there was one.

        An answer that is being written goes on in memory, and what comes of it is
        saved when the records are unlocked.
        """
        if self._vault is None or self._vault.store is None:
            return False
        self.locked = True
        if self.is_open and not self._record_is_empty:
            over = self._holder.consultation.over
            saved = await self._the_recorder.save(at_once=True)
            self._whole_when_locked = saved and over
        else:
            self._whole_when_locked = self._record_is_empty
        self._stop_feeding()
        await self.give_up()
        return True

    async def give_up(self) -> None:
        """Close the records without saving more."""
        self._wanted = False
        if self._vault is not None:
            await self._vault.lock()
        self._holder.record_changed()

    async def close(self) -> None:
        """Save and lock on the way out, within a time limit."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.lock(), CLOSE_S)

    def _stop_feeding(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    # Another consultation

    def adopt(self, saved: Saved) -> None:
        """Continue a consultation from the records."""
        from medassist.records.recorder import Recorder

        assert self._vault is not None
        self._stop_feeding()
        self._record = saved.record
        self._recorder = Recorder(self._vault, saved.record, saved)
        self._holder.consultation = saved.record.consultation

    def begin_anew(self) -> None:
        """Start the record of a new, empty consultation."""
        self._stop_feeding()
        self._holder.consultation = Consultation()

    def flagged(self, turn: Turn, raised: Sequence[Raised]) -> None:
        """Record the red flags that the question of `turn` has raised."""
        from medassist.records.record import FlagShown

        # Of a consultation opened again: what was shown then stays.
        self.content.flags.setdefault(
            turn,
            tuple(
                FlagShown(r.flag.id, r.flag.title, r.flag.text, r.flag.source)
                for r in raised
            ),
        )

    def warned(self, warnings: tuple[WarningGiven, ...]) -> None:
        """Record that the user was warned of identifiers, and decided."""
        record = self.content
        record.warnings = (*record.warnings, *warnings)
        self.feed()


def _new_vault() -> Vault:
    from medassist.records.vault import Vault

    return Vault()
