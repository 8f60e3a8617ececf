"""At rest nobody reads what was kept, and no log, metric or error has a word of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medassist.serve.audit import verify
from medassist.serve.records.vaults import default_root
from tests.serve.records.keeping import (
    KEEPS,
    OTHER,
    PASSPHRASE,
    held,
    keeping,
    turn,
)

ROOT = Path(__file__).parents[3]
NAME, NUMBER = "Zorblattina Quux", "MRN-48151623"

KILLED = """
import asyncio, os, sys
import medassist.records.vault
from tests.records.making import CHEAP
from tests.serve.records.keeping import held, keeping, turn
medassist.records.vault.GuessCost = lambda: CHEAP

async def main():
    async with keeping() as (_, (anna,)):
        await anna.begins()
        turns = []
        for n in range(12):
            turns.append(turn(f"{NAME}, {n}?", "{NUMBER} " * 200, "{NAME} " * 200))
            known = number["id"] if n else None
            number = await anna.keeps(held(*turns), id=known)
        assert len(await anna.finds("{NUMBER}")) == 1
        print("kept", flush=True)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def planted() -> list[bytes]:
    words = (*NAME.split(), NUMBER, "48151623", PASSPHRASE, OTHER)
    encodings = ("utf-8", "utf-16-le", "utf-16-be")
    return [word.encode(encoding) for word in words for encoding in encodings]


def holds(folder: Path) -> list[str]:
    """Files below `folder` with a planted word in their name or in their bytes."""
    found: list[str] = []
    for file in folder.rglob("*"):
        content = str(file).encode()
        if file.is_file():
            content += file.read_bytes()
        if any(word.lower() in content.lower() for word in planted()):
            found.append(str(file))
    return found


async def test_no_file_of_the_server_holds_a_word_of_it(
    home: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    audit = home / "audit.jsonl"
    home.mkdir()
    async with keeping("anna", options=replace(KEEPS, audit=audit)) as (_, (anna,)):
        await anna.begins()
        consultation = held(
            turn(f"{NAME}, {NUMBER}: chest pain?", f"{NAME} " * 300, f"{NUMBER} " * 300)
        )
        number = (await anna.keeps(consultation))["id"]
        await anna.finds(NAME)
        await anna.opens(number)
        assert (await anna.unlocks(OTHER))[0] == 403
        await anna.does("POST", "/passphrase", {"old": PASSPHRASE, "new": OTHER})
        await anna.ask("POST", "/search", {"text": NAME, "wrong": NUMBER})
        await anna.ask("POST", "/unlock", {"passphrase": [OTHER]})
        assert holds(home) == []
        metrics = (await anna.client.get("/metrics")).text
        await anna.does("POST", "/lock", {})
        await anna.unlocks(OTHER)
        await anna.begins(PASSPHRASE, anew=True)
        await anna.does("DELETE")
        opening = anna.opening
    assert holds(home) == []
    printed = capfd.readouterr()
    for said in (metrics, printed.out + printed.err, audit.read_text()):
        assert not any(word in said.encode() for word in planted())
        assert opening not in said
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    told = [
        (line["user"], line["outcome"]) for line in lines if line["event"] == "records"
    ]
    assert told == [
        ("anna", outcome)
        for outcome in (
            "begun",
            "wrong_passphrase",
            "passphrase_changed",
            "locked",
            "unlocked",
            "begun_anew",
            "deleted",
        )
    ]
    verify(audit)


async def test_a_killed_server_leaves_all_that_was_kept_and_no_word_to_read(
    home: Path, tmp_path: Path
) -> None:
    script = KILLED.replace("{NAME}", NAME).replace("{NUMBER}", NUMBER)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={
            **os.environ,
            "MEDASSIST_HOME": str(home),
            "TMPDIR": str(temporary),
            "SQLITE_TMPDIR": str(temporary),
        },
        capture_output=True,
    )
    assert done.returncode == -9, done.stderr.decode()
    assert done.stdout.strip().endswith(b"kept")
    names = {file.name for file in default_root().rglob("*")}
    assert {"records.db", "records.db-wal", "key.json"} <= names
    assert holds(tmp_path) == []
    async with keeping() as (_, (anna,)):
        assert (await anna.unlocks())[0] == 200
        assert await anna.finds(NUMBER) == [f"{NAME}, 0?"]
        turns = (await anna.opens(1))["consultation"]["turns"]
        assert [one["question"] for one in turns] == [
            f"{NAME}, {n}?" for n in range(12)
        ]
        for one in turns:
            assert one["sides"]["A"]["answers"][0]["text"] == f"{NUMBER} " * 200
