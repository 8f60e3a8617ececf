from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from medassist.consult.answer import Answer
from medassist.records.store import Store
from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE
from tests.records.writing_child import PIECES, content, write_until_killed

# Forked from a process that has imported all: twenty interpreters would take longer
# than all that they write.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.records.writing_child"])
SEARCH_IS_SOUND = (
    "INSERT INTO passage_index (passage_index, rank) VALUES ('integrity-check', 1)"
)


def killed_after(folder: Path, lines: int, seconds: float) -> list[list[str]]:
    """What a writing process acknowledged until it was killed.

    Args:
        folder: of the records.
        lines: acknowledgements that are waited for.
        seconds: from the last of them to the kill.
    """
    reading, writing = FORKS.Pipe(duplex=False)
    child = FORKS.Process(target=write_until_killed, args=(folder, PASSPHRASE, writing))
    child.start()
    writing.close()
    said: list[bytes] = []
    with reading, os.fdopen(os.dup(reading.fileno()), "rb") as pipe:
        said += [pipe.readline() for _ in range(lines)]
        # The pipe is emptied meanwhile: a full one would hold the child up.
        reader = threading.Thread(target=lambda: said.extend(pipe))
        reader.start()
        time.sleep(seconds)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        reader.join()
    assert child.exitcode == -signal.SIGKILL, said[-1:]
    # A last line without its end was not said to the last letter.
    return [line.decode().split() for line in said if line.endswith(b"\n")]


async def missing(store: Store, acknowledged: list[list[str]]) -> list[str]:
    """What was acknowledged and is not there, or is not what was written."""
    lengths: dict[int, int] = {}
    ended: set[int] = set()
    places: dict[int, tuple[int, int]] = {}
    deleted: set[int] = set()
    for kind, *numbers in acknowledged:
        values = [int(n) for n in numbers]
        match kind:
            case "answer":
                lengths[values[0]] = 0
                places[values[0]] = (values[1], values[2])
            case "piece":
                lengths[values[0]] = values[1]
            case "end":
                lengths[values[0]] = values[1]
                ended.add(values[0])
            case _:
                deleted.add(values[0])
    wrong = []
    for number, (turn, consultation) in places.items():
        saved = await store.reopen(consultation, branch=turn)
        found: dict[int, Answer] = {n: a for a, n in saved.answers.items()}
        answer = found.get(number)
        if answer is None:
            wrong.append(f"answer {number} is gone")
        elif len(answer.text) < lengths[number]:
            wrong.append(f"answer {number}: {len(answer.text)} < {lengths[number]}")
        elif not content(number, PIECES).startswith(answer.text):
            wrong.append(f"answer {number} holds something else")
        elif number in ended and answer.state != "finished":
            wrong.append(f"answer {number} is {answer.state}")
    listed = {line.id for line in await store.page(limit=1_000_000)}
    return wrong + [f"{number} is back" for number in deleted & listed]


async def kill_many(folder: Path, kills: int, seed: int) -> None:
    vault = Vault(folder)
    await vault.create(PASSPHRASE, CHEAP)
    await vault.lock()
    chance = random.Random(seed)
    before: list[list[str]] = []
    for number in range(kills):
        lines = chance.randrange(1, 60)
        now = killed_after(folder, lines, chance.uniform(0, 0.02))
        store = await vault.unlock(PASSPHRASE)
        assert await missing(store, now) == [], f"kill {number}, seed {seed}"
        assert await missing(store, before) == [], f"before kill {number}"
        await store.write(
            [
                lambda db: db.execute(SEARCH_IS_SOUND),
                lambda db: _expect_sound(db.execute("PRAGMA integrity_check")),
            ]
        )
        await vault.lock()
        before = now


def _expect_sound(found: object) -> None:
    assert [tuple(row) for row in found] == [("ok",)]  # type: ignore[attr-defined]


async def test_what_was_acknowledged_is_there_after_twenty_kills(
    tmp_path: Path,
) -> None:
    await kill_many(tmp_path / "records", 20, seed=6)


@pytest.mark.soak
async def test_what_was_acknowledged_is_there_after_a_thousand_kills(
    tmp_path: Path,
) -> None:
    # New records now and then, so that young files are killed as well as old ones.
    for part in range(20):
        await kill_many(tmp_path / f"records-{part}", 50, seed=100 + part)
