"""What somebody at the keyboard does with records, and what is then on the disk."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input

from medassist.consult.answer import Answer
from medassist.consult.turn import Turn
from medassist.core.values import PaneName
from medassist.records.record import Record
from medassist.records.vault import Vault
from medassist.tui.dialogs.passphrase import Passphrase
from medassist.tui.screens.history import History
from tests.records.making import CHEAP, PASSPHRASE, a_record
from tests.tui.page import Page

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


async def type_in(page: Page, *values: str) -> None:
    """Fill the fields of the dialog that is on top, and press Enter in the last one."""
    # A screen is on top before its fields are in it.
    await page.until(lambda: len(page.app.screen.query(Input)) == len(values))
    fields = list(page.app.screen.query(Input))
    for field, value in zip(fields, values, strict=True):
        field.value = value
    fields[-1].focus()
    await page.press("enter")


async def begin_records(page: Page) -> None:
    await page.press("alt+s")
    await page.until_on_top(Passphrase)
    await type_in(page, PASSPHRASE, PASSPHRASE)
    await page.until_back()
    await page.until(lambda: page.session.record.is_open)


async def until_saved(page: Page) -> None:
    await page.until(lambda: page.session.record.word == "encrypted")
    await page.pause()


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


async def open_history(page: Page) -> History:
    await page.press("ctrl+o")
    await page.until(lambda: isinstance(page.screen, Passphrase | History))
    if isinstance(page.screen, Passphrase):
        await type_in(page, PASSPHRASE)
        await page.until_on_top(History)
    screen = page.screen
    assert isinstance(screen, History)
    return screen
