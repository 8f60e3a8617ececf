"""Actions on the records during a consultation."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from medassist.session.session import Session
from medassist.tui.consult.answers import Answers
from medassist.tui.consult.composer import Composer
from medassist.tui.dialogs.decision import Decision
from medassist.tui.face import Face
from medassist.tui.wording import consult as wording

if TYPE_CHECKING:
    from medassist.consult.answer import Source
    from medassist.records.stored_consultation import Saved
    from medassist.records.vault import Vault
    from medassist.session.consultation_record import ConsultationRecord
    from medassist.tui.dialogs.passphrase import Typed


class Records:
    """Opens the records, and what is in them.

    Args:
        face: Shows what is opened from here.
        session: What is kept.
        answers: Draws what was opened again.
        composer: Where one goes on then.
    """

    def __init__(
        self, face: Face, session: Session, answers: Answers, composer: Composer
    ) -> None:
        self._face = face
        self._session = session
        self._answers = answers
        self._composer = composer

    @property
    def _record(self) -> ConsultationRecord:
        return self._session.record

    # Opening

    async def save_from_now_on(self) -> None:
        if self._record.is_open:
            self._face.say(wording.IS_SAVED)
        elif await self.open() and self._record.is_open:
            self._face.say(wording.SAVED_FROM_NOW)

    async def at_start(self) -> None:
        """Open the records, if the user wants that at each start."""
        settings = await self._face.settings()
        if settings.records == "at-start":
            await self.open()

    async def open(self) -> bool:
        """Open the records, or begin them; whether they are open now."""
        from medassist.records.errors import RecordsError

        settings = await self._face.settings()
        if settings.records == "never":
            self._face.say(wording.SWITCHED_OFF)
            return False
        if self._record.store is not None:
            return True
        vault = await self._record.vault()
        try:
            exists = await asyncio.to_thread(lambda: vault.exists)
        except OSError as error:
            self._face.say(wording.NO_FOLDER.format(why=error.strerror), warning=True)
            return False
        problem = ""
        if exists and settings.records_in_keyring:
            try:
                await self._open_by_keyring(vault)
            except RecordsError as error:
                problem = str(error)
        chosen = settings.records_in_keyring
        if vault.store is None and not await self._ask(vault, exists, problem, chosen):
            return False
        if not await self._may_be_saved():
            await self._record.give_up()
            return False
        self._record.opened()
        if vault.store is not None and vault.store.broken_off:
            self._face.say(wording.broken_off(vault.store.broken_off))
        return True

    async def _ask(
        self, vault: Vault, exists: bool, problem: str, in_keyring: bool
    ) -> bool:
        from importlib.util import find_spec

        from medassist.records.errors import RecordsError
        from medassist.tui.dialogs.passphrase import Passphrase

        async def act(typed: Typed) -> None:
            if exists:
                await self._open_by_passphrase(vault, typed.old)
            else:
                await vault.create(typed.new)
            if typed.keyring:
                await vault.keep_in_keyring(typed.old or typed.new)
                self._face.keep("records_in_keyring", True)
            elif offers and exists and not in_keyring:
                # Who no longer wants the keyring does not leave the key in it. One that
                # cannot be reached now is tried at the next passphrase.
                with suppress(RecordsError):
                    await vault.forget_in_keyring()

        offers = find_spec("keyring") is not None
        screen = Passphrase("open" if exists else "new", act, problem, offers)
        return await self._face.push_screen_wait(screen)

    async def _open_by_passphrase(self, vault: Vault, passphrase: str) -> None:
        from medassist.records.errors import InUse

        try:
            await vault.unlock(passphrase)
        except InUse as error:
            await vault.unlock(passphrase, read_only=True)
            self._face.say(str(error), warning=True)

    async def _open_by_keyring(self, vault: Vault) -> None:
        from medassist.records.errors import InUse

        try:
            await vault.unlock_by_keyring()
        except InUse as error:
            await vault.unlock_by_keyring(read_only=True)
            self._face.say(str(error), warning=True)

    async def change_passphrase(self) -> None:
        from medassist.tui.dialogs.passphrase import Passphrase

        vault = await self._record.vault()
        settings = await self._face.settings()
        if settings.records == "never":
            self._face.say(wording.SWITCHED_OFF)
            return
        if not await asyncio.to_thread(lambda: vault.exists):
            self._face.say(wording.NO_RECORDS)
            return

        async def act(typed: Typed) -> None:
            await vault.change(typed.old, typed.new)

        screen = Passphrase("change", act)
        if await self._face.push_screen_wait(screen):
            self._face.say(wording.SEALED_ANEW)

    # Identifiers

    async def _may_be_saved(self) -> bool:
        """Warn of identifiers in what stands on the screen already."""
        from medassist.tui.dialogs.identifier_warning import warn_of_consultation

        consultation = self._session.consultation
        if not consultation.turns:
            return True
        given = await warn_of_consultation(self._face, consultation)
        if given is None:
            return False
        self._record.warned(given)
        # What was replaced stands replaced on the screen too.
        if given and given[0].outcome == "replaced":
            for pane in self._answers.panes.all:
                await pane.show([])
            await self._answers.show()
        return True

    async def cleared(self, question: str) -> str | None:
        """The question as it may be saved; `None`: it is not to be asked so."""
        from medassist.tui.dialogs.identifier_warning import warn

        record = self._record.content
        if any(w.occasion == "saving" and w.outcome == "kept" for w in record.warnings):
            return question  # the user has said that it may stand in this one
        decided = await warn(self._face, [question], "saving")
        if decided is None:
            return None
        self._record.warned(decided.warnings)
        return decided.redact(question)

    # History

    async def history(self) -> None:
        if not await self.open():
            return
        from medassist.tui.screens.history import History

        before = self._session.consultation
        chosen = await self._face.push_screen_wait(History(self._record))
        if self._session.consultation is not before:  # it was deleted
            await self._answers.show()
        if chosen is not None:
            await self._reopen(chosen.consultation)

    async def _reopen(self, number: int) -> None:
        from medassist.records.errors import RecordsError

        session = self._session
        if not self._answers.are_over():
            return
        if session.consultation.turns and not await self._record.save():
            question = Decision(*wording.OPEN_OTHER)
            if not await self._face.push_screen_wait(question):
                return
        store = self._record.store
        if store is None:
            return
        try:
            saved = await store.reopen(number)
        except RecordsError as error:
            self._face.say(str(error), warning=True)
            return
        self._record.adopt(saved)
        await self._answers.show()
        self._composer.focus()
        session.pair.prepare(session.consultation)
        for sentence in await asyncio.to_thread(
            _other_pair, saved, session.pair.sources
        ):
            self._face.say(sentence, warning=True)

    # Export and sign-off

    async def export(self) -> None:
        if not self._is_whole():
            return
        from medassist.tui.dialogs.export import Export

        await self._face.push_screen_wait(
            Export(self._record, self.sign_off, self._answers.mask)
        )

    async def sign_off(self) -> None:
        """Ask whether the consultation is reviewed; or take that back."""
        from medassist.records.record import now

        if not self._is_whole():
            return
        record = self._record.content
        if record.signed_off is not None:
            record.signed_off = None
            self._face.say(wording.SIGN_OFF_TAKEN_BACK)
        else:
            if not await self._face.push_screen_wait(Decision(*wording.SIGN_OFF)):
                return
            record.signed_off = now()
            self._face.say(wording.SIGNED_OFF)
        self._record.feed()

    def _is_whole(self) -> bool:
        """Whether there is a consultation and it is over; if not, the user is told."""
        if not self._session.consultation.turns:
            self._face.say(wording.NOTHING_YET)
            return False
        return self._answers.are_over()


def _other_pair(saved: Saved, now: dict[Literal["base", "tuned"], Source]) -> list[str]:
    """Notice that other models go on than those that answered last.

    Looks at files: for a thread.
    """
    turns = saved.record.consultation.turns
    if not turns or not now:
        return []
    then = {pane: turns[-1].shown(pane) for pane in ("base", "tuned")}
    sources = {pane: answer.source for pane, answer in then.items() if answer}
    if sources == now or not any(source.name for source in now.values()):
        return []
    if saved.record.sides.hidden:
        return [wording.OTHER_MODELS]
    gone = [
        str(file.path)
        for source in sources.values()
        for file in source.files
        if not file.path.exists()
    ]
    names, now_names = ([s.name for s in of.values()] for of in (sources, now))
    said = wording.other_pair(names, now_names)
    return [said, wording.files_gone(gone)] if gone else [said]
