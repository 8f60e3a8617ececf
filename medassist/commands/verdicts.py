"""`medassist verdicts`: statistics of the verdicts in the records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medassist.core.terminal import RoomError, say

if TYPE_CHECKING:
    from medassist.consult.verdicts import JudgedTurn
    from medassist.tui.keys import Keymap

NO_RECORDS = (
    "There are no records on this computer, so there are no verdicts to count. In the "
    "consult screen, {save} begins them; {verdicts} shows the verdicts of the session."
)


def verdicts(
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object.")
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write them for a study, a line each."
        ),
    ] = None,
) -> None:
    """Count the verdicts in the records: wins, ties, a test, side bias, repeats.

    Asks for the passphrase of the records. The file holds no question and no answer,
    is readable by you alone, and none that is there is written over.
    """
    import asyncio

    from medassist.consult.verdict_words import NONE_YET, as_text
    from medassist.engine.confine import forbid_core_dumps

    forbid_core_dumps()
    given = asyncio.run(_read())
    if table is not None:
        _write(table, given)
    text = _as_json(given) if json else as_text(given) or _keymap().name(NONE_YET)
    say(text, json=json)
    if table is not None:
        say(f"Written to {table}.", err=True)


async def _read() -> list[JudgedTurn]:
    from medassist.consult.verdicts import of_records
    from medassist.records.errors import RecordsError
    from medassist.records.vault import Vault

    vault = Vault()
    if not vault.exists:
        raise RoomError(_keymap().name(NO_RECORDS))
    if not sys.stdin.isatty():
        raise RoomError(
            "The passphrase of the records is asked for on a terminal, and standard "
            "input is none. Run `medassist verdicts` in a terminal."
        )
    from getpass import getpass

    try:
        store = await vault.unlock(
            getpass("Passphrase of the records: "), read_only=True
        )
        try:
            return of_records(await store.verdicts())
        finally:
            await vault.lock()
    except RecordsError as error:
        raise RoomError(str(error)) from None


def _keymap() -> Keymap:
    """The keys of the consult screen, as the user has them."""
    from medassist.tui.first_look import look
    from medassist.tui.keys import Keymap

    return Keymap(look().keys)


def _write(file: Path, given: list[JudgedTurn]) -> None:
    from medassist.consult.verdict_table import table
    from medassist.core.files import write_new

    try:
        write_new(file, table(given))
    except FileExistsError:
        raise RoomError(
            f"{file} is there already, and is left as it is. Choose another name."
        ) from None


def _as_json(given: list[JudgedTurn]) -> str:
    from dataclasses import asdict
    from json import dumps

    from medassist.consult.verdicts import figures

    pairs = [
        {**asdict(found), "count": found.count, "decisive": found.decisive}
        for found in figures(given)
    ]
    return dumps({"pairs": pairs}, indent=2, ensure_ascii=False)
