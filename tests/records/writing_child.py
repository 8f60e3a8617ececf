"""Writes consultations until it is killed, and says what was acknowledged.

Each line on the pipe is one acknowledgement, written after the store's:
`answer A TURN CONSULTATION`, `piece A LENGTH`, `end A LENGTH`, `deleted C`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from medassist.consult.verdict import now
from medassist.records.store import Store
from medassist.records.vault import Vault
from tests.records.making import FIGURES, SOURCES

PIECES = 12


def piece(answer: int, number: int) -> str:
    """What the answer's piece is, so that the reader can tell what has to be there."""
    return f"<{answer}:{number}> " + "word " * (number % 40)


def content(answer: int, pieces: int) -> str:
    return "".join(piece(answer, number) for number in range(pieces))


async def write_one(
    store: Store, consultation: int, turn: int, say: Callable[[str], None]
) -> None:
    answer = await store.add_answer(turn, "base", SOURCES["base"], 1)
    say(f"answer {answer} {turn} {consultation}")
    length = 0
    for number in range(PIECES):
        text = piece(answer, number)
        await store.append(answer, length, text, number)
        length += len(text)
        say(f"piece {answer} {length}")
    whole = content(answer, PIECES)
    await store.end(answer, "ended", whole, PIECES, FIGURES)
    say(f"end {answer} {length}")


async def write(folder: Path, passphrase: str, say: Callable[[str], None]) -> None:
    store = await Vault(folder).unlock(passphrase)
    short = 0
    while True:
        consultation = await store.begin("Under way", now())
        # Only now: SQLite gives the highest number anew once it is deleted.
        if short and short % 3 == 0:
            await store.delete([short])
            say(f"deleted {short}")
        turns = [
            await store.add_turn(consultation, f"Question {n}?", None, now())
            for n in range(2)
        ]
        await asyncio.gather(*(write_one(store, consultation, t, say) for t in turns))
        short = await store.begin("Not for long", now())


def write_until_killed(folder: Path, passphrase: str, pipe: Connection) -> None:
    """Write for ever, acknowledge on `pipe`."""
    number = pipe.fileno()

    def say(line: str) -> None:
        os.write(number, line.encode() + b"\n")

    asyncio.run(write(folder, passphrase, say))
