"""What the user can do with the records from the consult screen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from medassist.session.session import STILL_WRITING
from medassist.tui.dialogs.decision import Decision

if TYPE_CHECKING:
    from medassist.consult.answer import Source
    from medassist.records.reopening import Saved
    from medassist.records.vault import Vault
    from medassist.session.consultation_record import ConsultationRecord
    from medassist.tui.consult.screen import ConsultScreen
    from medassist.tui.dialogs.passphrase import Typed

SWITCHED_OFF = (
    'Records are switched off: settings.toml says records = "never". Nothing of a '
    "consultation is written to the disk."
)
NOTHING_YET = "There is no consultation yet."
SIGN_OFF = (
    "You say by this that you have read the whole consultation and checked what is in "
    "it. Exports then say when it was signed off, in place of DRAFT, UNREVIEWED. "
    "Whatever is added later takes the sign-off back."
)


class Keeping:
    """Opens the records, and what is in them, for one consult screen."""

    def __init__(self, screen: ConsultScreen) -> None:
        self._screen = screen

    @property
    def _record(self) -> ConsultationRecord:
        return self._screen.session.record

    def run(self, flow: Coroutine[None, None, object]) -> None:
        """Have one of the flows below run."""
        self._screen.run_worker(flow, group="keeping")

    # Opening

    async def save_from_now_on(self) -> None:
        if self._record.is_open:
            self._screen.say("This consultation is being saved, encrypted.")
        elif await self.open() and self._record.is_open:
            self._screen.say("Consultations are saved from now on, encrypted.")

    async def at_start(self) -> None:
        """Open the records, if the user wants that at each start."""
        settings = await self._screen.consult_app.settings()
        if settings.records == "at-start":
            await self.open()

    async def open(self) -> bool:
        """Open the records, or begin them; whether they are open now."""
        from medassist.records.errors import RecordsError

        settings = await self._screen.consult_app.settings()
        if settings.records == "never":
            self._screen.say(SWITCHED_OFF)
            return False
        if self._record.store is not None:
            return True
        vault = await self._record.vault()
        try:
            exists = await asyncio.to_thread(lambda: vault.exists)
        except OSError as error:
            self._screen.say(
                f"The folder of the records cannot be made: {error.strerror}. The "
                "consultation goes on unsaved.",
                warning=True,
            )
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
            count = vault.store.broken_off
            what = "answer was" if count == 1 else f"{count} answers were"
            self._screen.say(
                f"The program ended last time while {'an ' * (count == 1)}{what} being "
                "written. What had come is in the records, marked as broken off."
            )
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
                self._screen.consult_app.keep("records_in_keyring", True)
            elif offers and exists and not in_keyring:
                # Who no longer wants the keyring does not leave the key in it. One that
                # cannot be reached now is tried at the next passphrase.
                with suppress(RecordsError):
                    await vault.forget_in_keyring()

        offers = find_spec("keyring") is not None
        screen = Passphrase("open" if exists else "new", act, problem, offers)
        return await self._screen.consult_app.push_screen_wait(screen)

    async def _open_by_passphrase(self, vault: Vault, passphrase: str) -> None:
        from medassist.records.errors import InUse

        try:
            await vault.unlock(passphrase)
        except InUse as error:
            await vault.unlock(passphrase, read_only=True)
            self._screen.say(str(error), warning=True)

    async def _open_by_keyring(self, vault: Vault) -> None:
        from medassist.records.errors import InUse

        try:
            await vault.unlock_by_keyring()
        except InUse as error:
            await vault.unlock_by_keyring(read_only=True)
            self._screen.say(str(error), warning=True)

    async def change_passphrase(self) -> None:
        from medassist.tui.dialogs.passphrase import Passphrase

        vault = await self._record.vault()
        settings = await self._screen.consult_app.settings()
        if settings.records == "never":
            self._screen.say(SWITCHED_OFF)
            return
        if not await asyncio.to_thread(lambda: vault.exists):
            self._screen.say("There are no records yet; saving begins them.")
            return

        async def act(typed: Typed) -> None:
            await vault.change(typed.old, typed.new)

        screen = Passphrase("change", act)
        if await self._screen.consult_app.push_screen_wait(screen):
            self._screen.say("The passphrase is changed.")

    # Identifiers

    async def _may_be_saved(self) -> bool:
        """Warn of identifiers in what stands on the screen already."""
        from medassist.tui.dialogs.identifier_warning import warn_of_consultation

        consultation = self._screen.consultation
        if not consultation.turns:
            return True
        given = await warn_of_consultation(self._screen.consult_app, consultation)
        if given is None:
            return False
        self._record.warned(given)
        # What was replaced stands replaced on the screen too.
        if given and given[0].outcome == "replaced":
            for pane in self._screen.panes.values():
                await pane.show([])
            await self._screen.show_turns()
        return True

    async def cleared(self, question: str) -> str | None:
        """A question that is to be saved, as it may be; `None`: not to be asked so."""
        from medassist.tui.dialogs.identifier_warning import warn

        record = self._record.content
        if any(w.occasion == "saving" and w.outcome == "kept" for w in record.warnings):
            return question  # the user has said that it may stand in this one
        decided = await warn(self._screen.consult_app, [question], "saving")
        if decided is None:
            return None
        self._record.warned(decided.warnings)
        return decided.redact(question)

    # History

    async def history(self) -> None:
        if not await self.open():
            return
        from medassist.tui.screens.history import History

        before = self._screen.consultation
        chosen = await self._screen.consult_app.push_screen_wait(History(self._record))
        if self._screen.consultation is not before:  # it was deleted
            await self._screen.show_turns()
            self._screen.draw_lines()
        if chosen is not None:
            await self._reopen(chosen.consultation)

    async def _reopen(self, number: int) -> None:
        from medassist.records.errors import RecordsError

        screen = self._screen
        if not screen.consultation.over:
            screen.say(STILL_WRITING)
            return
        if screen.consultation.turns and not await self._record.save():
            text = "What is on the screen is not saved. The other one takes its place."
            question = Decision("Open the other one", text, "Open it", "Stay here")
            if not await screen.consult_app.push_screen_wait(question):
                return
        store = self._record.store
        if store is None:
            return
        try:
            saved = await store.reopen(number)
        except RecordsError as error:
            screen.say(str(error), warning=True)
            return
        self._record.adopt(saved)
        await screen.show_turns()
        screen.draw_lines()
        screen.composer.focus()
        screen.pair.prepare(screen.consultation)
        for sentence in await asyncio.to_thread(
            _other_pair, saved, screen.pair.sources
        ):
            screen.say(sentence, warning=True)

    # Export and sign-off

    async def export(self) -> None:
        if not self._screen.consultation.turns:
            self._screen.say(NOTHING_YET)
            return
        if not self._screen.consultation.over:
            self._screen.say(STILL_WRITING)
            return
        from medassist.tui.dialogs.export import Export

        await self._screen.consult_app.push_screen_wait(
            Export(self._record, self.sign_off, self._mask)
        )

    def _mask(self, text: str) -> str:
        """`text` without the names of models, while they are hidden."""
        hides = self._screen.comparing.veil
        return hides.mask(text) if hides else text

    async def sign_off(self) -> None:
        """Ask whether the consultation is reviewed; or take that back."""
        from medassist.records.record import now

        if not self._screen.consultation.turns:
            self._screen.say(NOTHING_YET)
            return
        if not self._screen.consultation.over:
            self._screen.say(STILL_WRITING)
            return
        record = self._record.content
        if record.signed_off is not None:
            record.signed_off = None
            self._screen.say("The sign-off is taken back: it is a draft again.")
        else:
            question = Decision("Sign off", SIGN_OFF, "I have reviewed it", "Not yet")
            if not await self._screen.consult_app.push_screen_wait(question):
                return
            record.signed_off = now()
            self._screen.say("Signed off as reviewed.")
        self._record.feed()


def _other_pair(saved: Saved, now: dict[Literal["base", "tuned"], Source]) -> list[str]:
    """What is to be said where other models go on than those that answered last.

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
        return [
            "Other models than those loaded now answered here. What you ask now goes "
            "to those loaded now."
        ]
    gone = [
        file.path
        for source in sources.values()
        for file in source.files
        if not file.path.exists()
    ]
    before = " and ".join(dict.fromkeys(s.name for s in sources.values()))
    after = " and ".join(dict.fromkeys(s.name for s in now.values()))
    said = [
        f"{before} answered here. What you ask now goes to {after}, with all that was "
        "said before; another pair can be chosen."
    ]
    if gone:
        names = " and ".join(dict.fromkeys(str(path) for path in gone))
        said.append(f"{names}: not there any more, so it cannot be asked again.")
    return said
