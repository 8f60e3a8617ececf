"""A history of 2,000 consultations: the time to open it and to search it."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Comparison
from medassist.consult.answer import Source
from medassist.consult.verdict import now
from medassist.core.values import PANES, Figures
from medassist.records import sql_writes
from medassist.records.cipher import Connection
from medassist.records.vault import Vault

CONSULTATIONS = 2000
TURNS = 3
WORDS = 180  # of an answer
VOCABULARY = 20_000
OPEN_S, SEARCH_S = 0.5, 0.2
PASSPHRASE = "correct horse battery"
SOURCES = {pane: Source(f"{pane} 1B", "Q8_0") for pane in PANES}
FIGURES = Figures("end", 100, 0, WORDS, 0.3, 20.0, 400)


def word(number: int) -> str:
    """A word like others: letters that depend on its number."""
    letters = "etaoinshrdlucmfwypvbgk"
    found = ""
    number += 400
    while number:
        number, place = divmod(number, len(letters))
        found += letters[place]
    return found


def text(chance: random.Random, length: int) -> str:
    """Words as frequent as those of a language: few that are in every text."""
    return " ".join(word(int(VOCABULARY ** chance.random()) - 1) for _ in range(length))


def fill(db: Connection, first: int, last: int, chance: random.Random) -> None:
    """Write some of the consultations."""
    for number in range(first, last):
        begun = now() - timedelta(hours=CONSULTATIONS - number)
        consultation = number * 100 + 1
        sql_writes.begin(db, consultation, text(chance, 8), begun)
        after = None
        for place in range(TURNS):
            turn = consultation + 1 + place * 3
            sql_writes.add_turn(db, consultation, turn, after, text(chance, 40), begun)
            for side, pane in enumerate(PANES, start=1):
                answer = turn + side
                sql_writes.add_answer(db, answer, turn, pane, SOURCES[pane], 42)
                whole = text(chance, WORDS)
                sql_writes.end(db, answer, "ended", whole, WORDS, FIGURES)
            after = turn
        sql_writes.set_leaf(db, consultation, after)


async def _fill(vault: Vault) -> None:
    store = await vault.create(PASSPHRASE)
    chance = random.Random(1)
    for first in range(0, CONSULTATIONS, 100):
        await store.write([lambda db, f=first: fill(db, f, f + 100, chance)])
    await vault.lock()


async def _seconds(verb: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await verb()
    return time.perf_counter() - begun


async def _measure(folder: Path, runs: int) -> dict[str, list[float]]:
    await _fill(Vault(folder))
    took: dict[str, list[float]] = {}
    for _ in range(runs):
        vault = Vault(folder)

        async def opened(vault: Vault = vault) -> None:
            await vault.unlock(PASSPHRASE)
            await vault.open_store.page()
            await vault.open_store.count()

        took.setdefault("passphrase, then the first page", []).append(
            await _seconds(opened)
        )
        store = vault.open_store
        for name, verb in (
            ("the first page alone", store.page),
            ("search: a rare word", lambda s=store: s.search(word(15_000))),
            ("search: two words, the last begun", lambda s=store: s.search("eta rl")),
            ("search: a word of every answer", lambda s=store: s.search(word(0))),
            ("reopen one", lambda s=store: s.reopen(1001)),
        ):
            took.setdefault(name, []).append(await _seconds(verb))
        await vault.lock()
    return took


def compare(runs: int) -> list[Comparison]:
    """The table's rows; beside each stands what it may take."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records"
        took = asyncio.run(_measure(records, runs))
        size = sum(file.stat().st_size for file in records.iterdir())
        print(f"{CONSULTATIONS:,} consultations take {size / 1e6:.0f} MB")
    aims = {name: SEARCH_S if "search" in name else OPEN_S for name in took}
    return [
        Comparison(name, seconds, [aims[name]] * runs, "s", ("<=", 1.0))
        for name, seconds in took.items()
    ]
