"""What somebody at the keyboard does with records, and what is then on the disk."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from medassist.consult.answer import Answer
from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.records.record import Record
from medassist.records.vault import Vault
from medassist.tui.app import ConsultApp
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.screens.history import History
from tests.records.making import CHEAP, PASSPHRASE, a_record
from tests.tui.running import until

SIZE = (110, 36)
KEYRING = """
held = {}
def get_password(service, name): return held.get((service, name))
def set_password(service, name, secret): held[service, name] = secret
def delete_password(service, name): del held[service, name]
"""


def settle(home: Path, line: str) -> None:
    file = home / "config" / "settings.toml"
    file.write_text(file.read_text() + line + "\n")


async def type_in(pilot: Pilot[int], *values: str) -> None:
    """Fill the fields of the dialog that is on top, and press Enter in the last one."""
    # A screen is on top before its fields are in it.
    await until(pilot, lambda: len(pilot.app.screen.query(Input)) == len(values))
    fields = list(pilot.app.screen.query(Input))
    for field, value in zip(fields, values, strict=True):
        field.value = value
    fields[-1].focus()
    await pilot.press("enter")


async def begin_records(pilot: Pilot[int], app: ConsultApp) -> None:
    await pilot.press("alt+s")
    await until(pilot, lambda: isinstance(app.screen, Passphrase))
    await type_in(pilot, PASSPHRASE, PASSPHRASE)
    await until(pilot, lambda: app.screen is app.consult)
    await until(pilot, lambda: app.consult.session.record.is_open)


async def until_saved(pilot: Pilot[int], app: ConsultApp) -> None:
    await until(pilot, lambda: app.consult.session.record.word == "encrypted")
    await pilot.pause()


def last(turn: Turn, pane: PaneName) -> Answer:
    answer = turn.shown(pane)
    assert answer is not None
    return answer


async def kept(folder: Path) -> list[Record]:
    """What another start of the program finds."""
    vault = Vault(folder)
    store = await vault.unlock(PASSPHRASE)
    found = [(await store.reopen(line.id)).record for line in await store.page()]
    await vault.lock()
    return found


async def fill(folder: Path, *questions: str) -> None:
    from medassist.records.recorder import Recorder

    vault = Vault(folder)
    if not vault.exists:
        await vault.create(PASSPHRASE, CHEAP)
    else:
        await vault.unlock(PASSPHRASE)
    for question in questions:
        assert await Recorder(vault, a_record(question)).save()
    await vault.lock()


async def open_history(pilot: Pilot[int], app: ConsultApp) -> History:
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, Passphrase | History))
    if isinstance(app.screen, Passphrase):
        await type_in(pilot, PASSPHRASE)
        await until(pilot, lambda: isinstance(app.screen, History))
    screen = app.screen
    assert isinstance(screen, History)
    return screen
