from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from medassist.consult.verdict import Verdict, now
from medassist.records.record import Record
from medassist.records.recorder import Recorder
from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE, a_turn


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDASSIST_HOME", str(tmp_path))
    return tmp_path


async def _records(home: Path) -> None:
    vault = Vault(home / "data" / "records")
    await vault.create(PASSPHRASE, CHEAP)
    record = Record()
    turn = a_turn(record, "What of Mrs Quill?", "Rest.", "Aspirin.")
    turn.judge(Verdict("B", "base", False, now(), ("safety",)))
    assert await Recorder(vault, record).save()
    await vault.lock()


def in_a_terminal(*arguments: str, passphrase: str = PASSPHRASE) -> tuple[int, str]:
    """Run the command on a terminal of its own, and type the passphrase."""
    leader, follower = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "medassist", "verdicts", *arguments],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        start_new_session=True,
        # The passphrase is never taken from here.
        env={**os.environ, "MEDASSIST_PASSPHRASE": PASSPHRASE},
    )
    os.close(follower)
    seen = b""
    while b"Passphrase" not in seen:
        seen += os.read(leader, 1024)
    os.write(leader, f"{passphrase}\n".encode())
    out, _ = program.communicate(timeout=60)
    os.set_blocking(leader, False)
    with suppress(OSError):
        seen += os.read(leader, 65536)
    os.close(leader)
    assert passphrase.encode() not in seen  # it is not echoed
    return program.returncode, out.decode() + seen.decode()


def test_verdicts_are_counted_for_a_person_a_program_and_a_study(home: Path) -> None:
    asyncio.run(_records(home))
    file = home / "verdicts.csv"
    code, said = in_a_terminal("--csv", str(file))
    assert code == 0, said
    assert "1 verdict: tuned 1, base 0, ties 0, both poor 0" in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Quill" not in file.read_text() + said
    code, said = in_a_terminal("--json")
    parsed = json.loads(said[: said.rindex("}") + 1])
    assert parsed["pairs"][0]["tuned"] == 1
    assert parsed["pairs"][0]["test"]["wins"] == 1


def test_a_wrong_passphrase_is_a_sentence_and_tells_nothing(home: Path) -> None:
    asyncio.run(_records(home))
    code, said = in_a_terminal(passphrase="quite another one")
    assert code == 1
    assert "passphrase" in said.lower() and "Traceback" not in said
    assert "verdict:" not in said


def test_without_records_or_a_terminal_it_says_what_is_missing(home: Path) -> None:
    command = [sys.executable, "-m", "medassist", "verdicts"]
    (home / "config").mkdir()
    (home / "config" / "settings.toml").write_text('[keys]\nsave = "f7"\n')
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "There are no records on this computer" in done.stderr
    assert "F7 begins them; alt+v shows" in " ".join(done.stderr.split())
    assert not (home / "data" / "records").exists()
    asyncio.run(_records(home))
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, input=PASSPHRASE
    )
    assert done.returncode == 1
    assert "asked for on a terminal" in done.stderr
